"""The schedule on the page of its workflow."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.test import Client

from tests.support.documents import publish
from workflows import scheduling
from workflows.models import Run, Schedule

Reader = Callable[..., Client]
DO = "\ndo: [{a: {set: {b: 1}}}]"


def page(client: Client, path: str = "/workflows/job/") -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_the_page_says_when_it_starts_next_and_what_became_of_the_last_moments(reader: Reader) -> None:
    publish("job", "schedule: {every: PT2H}" + DO)
    Schedule.objects.update(next_at=datetime.now(UTC) - timedelta(hours=2, minutes=5))
    scheduling.fire_due()
    shown = page(reader("Viewer"))
    assert "every 2 hours" in shown
    assert "left out" in shown
    assert f"/runs/{Run.objects.get().pk}/" in shown
    assert "schedule/pause" not in shown  # a viewer may not


def test_each_kind_of_schedule_has_its_words(reader: Reader) -> None:
    for number, (text, words) in enumerate(
        [
            ("{cron: '0 6 * * 1-5'}", "at 06:00 on Monday through Friday (0 6 * * 1-5, UTC)"),
            ("{after: PT5M}", "5 minutes after the last run has ended"),
            ("{on: {one: {with: {type: order.paid}}}}", "when an event comes"),
        ]
    ):
        publish("job", f"schedule: {text}{DO}", f"1.{number}.0")
        scheduling.fire_due()
        assert words in page(reader())


def test_a_pause_needs_a_reason_and_is_shown_with_it(reader: Reader) -> None:
    publish("job", "schedule: {every: PT2H}" + DO)
    client = reader()
    form = "/workflows/job/schedule/pause/"
    assert "Pause this schedule?" in page(client, form)
    assert client.post(form, {"reason": " "}).status_code == 422
    assert client.post(form, {"reason": "the <b>move</b>"}).status_code == 303
    shown = page(client)
    assert "the &lt;b&gt;move&lt;/b&gt;" in shown
    assert "schedule/resume" in shown
    assert "This cannot be done now" in page(client, form)
    client.post(form, {"reason": "again"})
    assert "Nothing was done" in page(client)
    client.post("/workflows/job/schedule/resume/", {"reason": "done"})
    assert Schedule.objects.get().state == "active"


def test_a_workflow_without_a_schedule_shows_none_and_has_none_to_pause(reader: Reader) -> None:
    publish("job", DO.strip())
    client = reader()
    assert "h-schedule" not in page(client)
    assert client.get("/workflows/job/schedule/pause/").status_code == 404

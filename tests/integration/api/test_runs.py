"""Starting, watching and repairing runs over HTTP."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from tests.integration.api.conftest import Caller
from tests.support.documents import publish
from tests.support.engine import work_until_idle
from workflows.api import starts
from workflows.models import IdempotencyKey, Run, Step

pytestmark = pytest.mark.usefixtures("handlers")


def test_a_start_answers_201_with_the_address_of_the_run(api: Caller) -> None:
    response = api("POST", "actions/test-echo/runs", {"input": {"value": 7}, "title": "seven", "tags": ["a", "b"]})
    assert response.status_code == 201
    run = response.json()
    assert response["Location"] == f"/api/v1/runs/{run['id']}"
    assert (run["state"], run["title"], run["tags"], run["trigger"]) == ("pending", "seven", ["a", "b"], "api")
    assert run["actor"].startswith("key:")
    work_until_idle()
    done = api("GET", response["Location"]).json()
    assert (done["state"], done["status"], done["output"], done["can_retry"]) == ("succeeded", "succeeded", 7, False)


def test_the_same_key_and_body_give_the_same_run_and_its_result(api: Caller) -> None:
    body = {"input": {"value": 1}}
    first = api("POST", "actions/test-echo/runs", body, Idempotency_Key="order-1")
    work_until_idle()
    again = api("POST", "actions/test-echo/runs", body, Idempotency_Key="order-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["output"] == 1


def test_the_same_key_with_another_body_is_refused_with_the_difference(api: Caller) -> None:
    first = api("POST", "actions/test-echo/runs", {"input": {"value": 1}}, Idempotency_Key="order-1")
    other = api("POST", "actions/test-echo/runs", {"input": {"value": 2}}, Idempotency_Key="order-1")
    assert other.status_code == 422
    problem = other.json()
    assert problem["type"] == "/problems/idempotency-key-reused"
    assert problem["run_id"] == first.json()["id"]
    assert problem["differences"] == ["/value differs"]


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\there", "caf\xe9"])
def test_a_key_that_is_not_visible_ascii_is_refused(api: Caller, key: str) -> None:
    response = api("POST", "actions/test-echo/runs", {}, Idempotency_Key=key)
    assert (response.status_code, response.json()["type"]) == (400, "/problems/invalid-idempotency-key")
    assert not Run.objects.exists()


def test_twenty_concurrent_starts_with_one_key_make_one_run(api: Caller) -> None:
    answers: list[Any] = []

    def start() -> None:
        try:
            answers.append(api("POST", "actions/test-echo/runs", {"input": {"value": 1}}, Idempotency_Key="once"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=start) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Run.objects.count() == IdempotencyKey.objects.count() == 1


def test_a_replay_is_authorised_again(api: Caller, with_key: Callable[..., Caller]) -> None:
    api("POST", "actions/test-echo/runs", {}, Idempotency_Key="secret-key")
    stranger = with_key("start:action:other-*")
    assert stranger("POST", "actions/test-echo/runs", {}, Idempotency_Key="secret-key").status_code == 403


def test_an_unknown_action_names_near_matches_and_makes_no_run(api: Caller) -> None:
    response = api("POST", "actions/test-ehco/runs", {"input": {}})
    assert response.status_code == 404
    assert "test-echo" in response.json()["near"]
    assert api("POST", "workflows/nothing-like-it/runs", {"input": {}}).status_code == 404
    assert not Run.objects.exists()


def test_an_unknown_version_is_a_404_that_names_those_that_are_published(api: Caller) -> None:
    publish("trial", "do:\n- say: {call: test-echo, with: {value: 1}}", "1.0.0")
    publish("trial", "do:\n- say: {call: test-echo, with: {value: 2}}", "1.1.0")
    for path in ("actions/test-echo", "workflows/trial"):
        response = api("POST", f"{path}/runs", {"version": "9.9.9"})
        assert response.status_code == 404
        assert "Did you mean" not in response.json()["detail"]
    assert response.json()["detail"] == (
        "The workflow trial has no published version 9.9.9. Published are 1.1.0, 1.0.0."
    )


def test_input_against_the_schema_lists_every_pointer_and_rule_and_makes_no_run(api: Caller) -> None:
    response = api("POST", "actions/test-ledger/runs", {"input": {"name": 5, "nmae": "x"}})
    assert response.status_code == 422
    problem = response.json()
    assert problem["type"] == "/problems/invalid-input"
    assert {error["pointer"] for error in problem["errors"]} >= {"/input/name"}
    assert all(error["rule"] and error["message"] for error in problem["errors"])
    assert len(problem["errors"]) >= 2
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"inptu": {}}, "/inptu"),
        ({"tags": "a"}, "/tags"),
        ({"tags": ["x" * 101]}, "/tags/0"),
        ({"tags": ["x"] * 21}, "/tags"),
        ({"title": "x" * 201}, "/title"),
        ({"title": {"a": 1}}, "/title"),
        ({"title": 5}, "/title"),
        ({"version": 1}, "/version"),
        ({"version": True}, "/version"),
        ({"tags": [1]}, "/tags/0"),
        ({"state": "succeeded"}, "/state"),
        ({"actor": "user:root"}, "/actor"),
    ],
)
def test_a_body_that_does_not_fit_is_a_422_with_a_pointer(api: Caller, body: Any, pointer: str) -> None:
    response = api("POST", "actions/test-echo/runs", body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("path", "body", "messages"),
    [
        ("actions/test-echo/runs", [], ["must be an object"]),
        ("actions/test-echo/runs", {"version": 1, "tags": "a"}, ["must be text", "must be a list"]),
        ("actions/test-echo/runs", {"title": None, "tags": ["x" * 101]}, [
            "must not be null", "must be at most 100 characters long",
        ]),
        ("actions/test-echo/runs", {"tags": ["x"] * 21}, ["must have at most 20 items"]),
        ("actions/test-echo/runs?wait=31", {}, ["must be at most 30"]),
        ("actions/test-echo/runs?wait=soon", {}, ["must be a number"]),
        ("actions", {"kind": 5}, [
            "is required", "must be one of http, email", "is required",
        ]),
        ("workflows", {"source": ""}, ["must not be empty"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_our_own_words(api: Caller, path: str, body: Any, messages: list[str]) -> None:
    errors = api("POST", path, body).json()["errors"]
    assert [error["message"] for error in errors] == messages


def test_a_query_that_does_not_fit_is_told_in_our_own_words(api: Caller) -> None:
    errors = api("GET", "runs?limit=0&kind=x&since=soon").json()["errors"]
    assert [(error["pointer"], error["message"]) for error in errors] == [
        ("/limit", "must be at least 1"),
        ("/kind", "must be one of action, workflow"),
        ("/since", "must be a time such as 2026-01-31T12:00:00Z"),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff",
        b'{"input": NaN}',
        b'{"input": 1e999}',
        b'{"input": {}, "input": {}}',
        b'{"input": "\\u0000"}',
        b'{"input": "\\ud800"}',
        b'{"input": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"input": 9007199254740993}',
        b'{"input": ' + b"9" * 5_000 + b"}",
        b"[]",
        b"null",
        b'"x"',
        b'{"input": "' + b"x" * (1024 * 1024) + b'"}',
    ],
)
def test_a_hostile_body_is_a_4xx_and_makes_no_run(api: Caller, raw: bytes) -> None:
    response = api("POST", "actions/test-echo/runs", raw)
    assert 400 <= response.status_code < 500
    assert not Run.objects.exists()


def test_waiting_for_the_result_returns_it_in_the_same_answer(api: Caller) -> None:
    worker = threading.Thread(target=_work_soon)
    worker.start()
    response = api("POST", "actions/test-echo/runs?wait=10", {"input": {"value": "done"}})
    worker.join()
    assert response.status_code == 201
    assert (response.json()["state"], response.json()["output"]) == ("succeeded", "done")


def test_waiting_ends_when_the_time_is_over(api: Caller) -> None:
    assert api("POST", "actions/test-echo/runs?wait=0.05", {}).json()["state"] == "pending"


def test_too_many_waiting_requests_do_not_take_the_server_from_others(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "_waiting", threading.BoundedSemaphore(1))
    assert starts._waiting.acquire(blocking=False)
    assert api("POST", "actions/test-echo/runs?wait=30", {}).json()["state"] == "pending"


@pytest.mark.parametrize("wait", ["31", "-1", "x", "NaN", "inf", ""])
def test_a_wait_that_is_not_0_to_30_seconds_is_refused_before_anything_starts(api: Caller, wait: str) -> None:
    assert api("POST", f"actions/test-echo/runs?wait={wait}", {}).status_code == 400
    assert not Run.objects.exists()


def test_a_dead_letter_is_shown_with_its_attempts_and_can_be_retried(api: Caller) -> None:
    run = api("POST", "actions/test-refuses/runs", {"input": {}}).json()
    work_until_idle()
    path = f"runs/{run['id']}"
    dead = api("GET", path).json()
    assert (dead["state"], dead["status"], dead["can_retry"]) == ("failed", "dead_letter", True)
    assert dead["error"]["code"] == "declined"
    step = api("GET", f"{path}/steps").json()["items"][0]
    detail = api("GET", f"{path}/steps/{step['id']}").json()
    assert [attempt["outcome"] for attempt in detail["attempts"]] == ["failed"]
    assert api("POST", f"{path}/retries", {}).status_code == 422
    retried = api("POST", f"{path}/retries", {"reason": "the card is valid now"})
    assert retried.status_code == 200
    assert retried.json()["state"] == "running"
    kinds = [event["kind"] for event in api("GET", f"{path}/audit").json()["items"]]
    assert kinds[0] == "run.started"
    assert "run.retried" in kinds


def test_a_cancelled_run_cannot_be_cancelled_or_retried_again(api: Caller) -> None:
    path = f"runs/{api('POST', 'actions/test-echo/runs', {}).json()['id']}"
    assert api("POST", f"{path}/cancellation", {"reason": "no longer needed"}).json()["state"] == "cancelled"
    for noun in ("cancellation", "retries"):
        refused = api("POST", f"{path}/{noun}", {"reason": "again"})
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-possible-now")


def test_logs_are_shown_and_secrets_are_not(api: Caller) -> None:
    run = api("POST", "actions/test-speaks/runs", {"input": {"password": "hunter2secret"}}).json()
    work_until_idle()
    step = api("GET", f"runs/{run['id']}/steps").json()["items"][0]
    answers = [
        api("GET", path).content.decode()
        for path in (f"runs/{run['id']}", f"runs/{run['id']}/steps/{step['id']}", f"runs/{run['id']}/audit", "runs")
    ]
    assert "hello" in answers[1]
    assert "hunter2secret" not in "".join(answers)


def test_pages_go_forward_and_back_over_the_same_runs(api: Caller) -> None:
    made = [api("POST", "actions/test-echo/runs", {"tags": ["page"]}).json()["id"] for _ in range(5)]
    newest_first = made[::-1]
    first = api("GET", "runs?limit=2&tag=page").json()
    assert first["previous"] is None
    second = api("GET", first["next"]).json()
    third = api("GET", second["next"]).json()
    assert [row["id"] for page in (first, second, third) for row in page["items"]] == newest_first
    assert third["next"] is None
    assert api("GET", second["previous"]).json()["items"] == first["items"]
    assert "tag=page" in second["next"]


@pytest.mark.parametrize("part", ["steps", "audit"])
def test_the_pages_of_a_run_miss_nothing_and_repeat_nothing(api: Caller, part: str) -> None:
    run_id = _run_of_three(api)
    path = f"/api/v1/runs/{run_id}/{part}"
    whole = api("GET", path).json()
    assert (whole["next"], whole["previous"]) == (None, None)
    assert len(whole["items"]) >= 3
    address, found, back = f"{path}?limit=1", [], None
    while address:
        page = api("GET", address).json()
        found += page["items"]
        address, back = page["next"], page["previous"]
    assert found == whole["items"]
    assert api("GET", str(back)).json()["items"] == whole["items"][-2:-1]
    assert api("GET", f"{path}?after=1").status_code == 400
    assert api("GET", f"{path}?cursor=n.zzz").json()["type"] == "/problems/invalid-cursor"


def test_a_step_beyond_the_first_thousand_is_found(api: Caller) -> None:
    run_id = _run_of_three(api)
    step = Step.objects.filter(run=run_id, state="succeeded").latest("id")
    kept = {field.attname: getattr(step, field.attname) for field in Step._meta.fields if field.name != "id"}
    Step.objects.bulk_create([Step(**kept | {"key": f"/do/9/more/{number}"}) for number in range(1_001)])
    last = Step.objects.filter(run=run_id).latest("id")
    assert api("GET", f"runs/{run_id}/steps/{last.id}").json()["id"] == str(last.id)
    address, count = f"/api/v1/runs/{run_id}/steps?limit=200", 0
    while address:
        page = api("GET", address).json()
        address, count = page["next"], count + len(page["items"])
    assert count == Step.objects.filter(run=run_id).count()


def test_runs_are_filtered(api: Caller) -> None:
    api("POST", "actions/test-echo/runs", {"title": "Ada Lovelace", "tags": ["x"]}, Idempotency_Key="ada-1")
    api("POST", "actions/test-speaks/runs", {})
    for query in ("name=test-echo", "tag=x", "q=ada%20love", "key=ada", "q=ada-1"):
        assert [row["title"] for row in api("GET", f"runs?{query}").json()["items"]] == ["Ada Lovelace"], query
    assert len(api("GET", "runs?state=pending&kind=action&status=pending").json()["items"]) == 2
    assert api("GET", "runs?kind=workflow").json()["items"] == []
    assert api("GET", "runs?since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z").json()["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "state=nothing",
        "status=nothing",
        "cursor=x",
        "cursor=n.x",
        "cursor=n.",
        "cursor=z.W10",
        "cursor=n.WyIlMDAiXQ",
        "cursor=" + "a" * 2_000,
        "since=yesterday",
        "since=0001-01-01T00:00:00Z",
        "until=9999-12-31T23:59:59Z",
        "q=%00",
        "tag=%00",
        "name=%ff%00",
        "nmae=x",
        "state=failed&state=running",
        "format=xml",
    ],
)
def test_a_query_that_makes_no_sense_is_a_4xx_and_never_a_500(api: Caller, query: str) -> None:
    assert api("GET", f"runs?{query}").status_code in {400, 404}


@pytest.mark.parametrize(
    "path", ["runs/x", "runs/00000000-0000-0000-0000-000000000000", "nowhere", "runs/", "actions/%00/runs", "", "../v1"]
)
def test_an_address_that_does_not_exist_is_a_problem_document(api: Caller, path: str) -> None:
    assert api("GET", path).status_code in {404, 405}


def test_a_step_of_another_run_is_not_found(api: Caller) -> None:
    one, two = (api("POST", "actions/test-echo/runs", {}).json()["id"] for _ in range(2))
    step = api("GET", f"runs/{one}/steps").json()["items"][0]["id"]
    assert api("GET", f"runs/{two}/steps/{step}").status_code == 404


def _run_of_three(api: Caller) -> UUID:
    publish("three", "do:" + "".join(f"\n- s{n}: {{call: test-echo, with: {{value: {n}}}}}" for n in range(3)))
    run_id = UUID(api("POST", "workflows/three/runs", {}).json()["id"])
    work_until_idle(20)
    return run_id


def _work_soon() -> None:
    try:
        for _ in range(100):
            if Run.objects.exists():
                work_until_idle()
                return
            threading.Event().wait(0.05)
    finally:
        connections.close_all()


@pytest.mark.parametrize("value", [{}, {"value": {"password": "hidden", "b": [1, 1.5]}}, {"value": "x" * 6_000}])
def test_the_answer_to_a_start_is_what_is_read_of_the_run_afterwards(api: Caller, value: Any) -> None:
    publish("trial", "do:\n- say: {call: test-echo, with: {value: 1}}\n- wait: {wait: PT1H}", "1.2.0")
    for path in ("actions/test-echo", "workflows/trial"):
        body = {"input": value, "title": "t", "tags": ["a"]}
        answer = api("POST", f"{path}/runs", body, Idempotency_Key="k")
        assert answer.status_code == 201
        assert answer.json() == api("GET", answer["Location"]).json()
        assert answer.json() == api("POST", f"{path}/runs", body, Idempotency_Key="k").json()


def test_requests_at_the_same_moment_do_not_mix_what_they_said(api: Caller) -> None:
    answers: dict[int, Any] = {}

    def start(number: int) -> None:
        try:
            for _ in range(5):
                body = {"input": {"value": number}, "title": f"t{number}", "tags": [f"tag{number}"] * (number % 3)}
                found = api("POST", "actions/test-echo/runs", body).json()
                answers[number] = (found["input"] == body["input"], found["title"], found["tags"] == body["tags"])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=start, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: (True, f"t{number}", True) for number in range(6)}

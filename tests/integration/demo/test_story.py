"""`make demo`: the whole story over the API, told truthfully, and cleaned up after."""

import signal

import pytest

from dotdo_site.access.models import ApiKey
from dotdo_site.launch import processes
from tests.integration.demo.conftest import Site
from tests.support.cluster import until
from workflows.models import Run


def test_the_story_is_told_and_everything_is_as_told(site: Site) -> None:
    with site.workers(), site.web() as url:
        done = site.manage("demo", "--url", url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT SO" not in done.stdout
    for promise in (
        "only the e-mail was retried: send-welcome-email took 3 attempts",
        "the card was charged once",
        "the datastore record went registered → email_sent",
        "the same run came back",
        "repaired: the run succeeded",
        "every link fits",
        "Parked as a dead letter",
        f"{url}/runs/",
    ):
        assert promise in done.stdout
    assert "\033" not in done.stdout, "no terminal, no colours"
    assert Run.objects.filter(state="succeeded").count() == 2
    key = ApiKey.objects.get()
    assert key.revoked_at is not None


def test_a_story_that_does_not_come_true_fails_and_still_revokes_its_key(site: Site) -> None:
    with site.web() as url:  # and no cluster
        done = site.manage("demo", "--url", url, "--patience", "1")
    assert done.returncode == 1
    assert "does the cluster of `make up` run?" in done.stderr
    assert ApiKey.objects.get().revoked_at is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_story_that_is_interrupted_revokes_its_key(site: Site, number: signal.Signals) -> None:
    with site.web() as url, site.beside(processes.manage("demo", "--url", url)) as process:
        until(Run.objects.exists, what="the first start")
        process.send_signal(number)
        assert process.wait(10) in {130, 143}
    assert ApiKey.objects.get().revoked_at is not None


def test_without_dotdo_running_it_says_what_to_do(site: Site) -> None:
    del site.environment["DOTDO_DEMO_HTTP_PORT"]
    done = site.manage("demo")
    assert done.returncode == 1
    assert "make up" in done.stderr

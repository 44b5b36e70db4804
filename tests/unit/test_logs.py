"""What somebody outside can provoke, and what the cluster repairs by itself, is one quiet line."""

import io
import logging
import sys

import pytest
from django.core.exceptions import DisallowedHost

from dotdo_site import settings
from dotdo_site.lib.logs import LineFormatter, Tone


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Collect what loggers say through the handler that the settings describe."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    handler.addFilter(Tone())
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr(logging.getLogger(), "level", logging.INFO)
    logging.getLogger()._cache.clear()  # type: ignore[attr-defined] - what monkeypatch changed behind its back
    return stream


def log_with_traceback(logger: str, error: Exception) -> None:
    """Log an exception as Django does."""
    try:
        raise error
    except Exception:  # noqa: BLE001 - any
        logging.getLogger(logger).error("%s", error, exc_info=sys.exc_info())


def test_the_handler_of_the_settings_speaks_in_this_tone() -> None:
    assert settings.LOGGING["handlers"]["stderr"]["filters"] == ["tone"]
    assert settings.LOGGING["filters"] == {"tone": {"()": "dotdo_site.lib.logs.Tone"}}


def test_a_forged_host_header_is_one_line(said: io.StringIO) -> None:
    log_with_traceback("django.security.DisallowedHost", DisallowedHost("Invalid HTTP_HOST header: 'evil'"))
    assert said.getvalue().count("\n") == 1
    assert "WARNING django.security.DisallowedHost: Invalid HTTP_HOST header: 'evil'" in said.getvalue()


def test_a_failure_of_ours_keeps_its_traceback(said: io.StringIO) -> None:
    log_with_traceback("django.request", ZeroDivisionError("ours"))
    assert "Traceback" in said.getvalue()


@pytest.mark.parametrize(("status", "level"), [(404, "INFO"), (429, "INFO"), (500, "WARNING")])
def test_a_refused_request_is_no_warning(status: int, level: str, said: io.StringIO) -> None:
    logging.getLogger("django.request").warning("Not Found: /x", extra={"status_code": status})
    assert f" {level:<7} django.request: Not Found: /x" in said.getvalue()


def test_who_wants_warnings_only_does_not_get_refused_requests(
    said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    logging.getLogger("django.request").warning("Not Found: /x", extra={"status_code": 404})
    assert said.getvalue() == ""


def test_a_replaced_worker_is_no_critical_event(said: io.StringIO) -> None:
    logging.getLogger("django-q").critical("reincarnated worker %s after death", "Process-1:1")
    assert "WARNING django-q: a worker process died and was replaced (Process-1:1)" in said.getvalue()

"""What somebody outside can provoke, and what the cluster repairs by itself, is one quiet line."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost

from dotdo_site import settings
from dotdo_site.lib.logs import LineFormatter, Tone


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """Collect what loggers say through a handler as the settings describe it."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    handler.addFilter(Tone())
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def log_with_traceback(logger: str, error: Exception) -> None:
    """Log an exception as Django does."""
    logging.getLogger(logger).error("%s", error, exc_info=(type(error), error, None))


def test_the_handler_of_the_settings_speaks_in_this_tone() -> None:
    described: dict[str, Any] = settings.LOGGING
    assert described["handlers"]["stderr"]["filters"] == ["tone"]
    assert described["filters"] == {"tone": {"()": "dotdo_site.lib.logs.Tone"}}


def test_a_forged_host_header_is_one_line(said: io.StringIO) -> None:
    log_with_traceback("django.security.DisallowedHost", DisallowedHost("Invalid HTTP_HOST header: 'evil'"))
    assert said.getvalue().count("\n") == 1
    assert "WARNING django.security.DisallowedHost: Invalid HTTP_HOST header: 'evil'" in said.getvalue()


def test_a_failure_of_ours_keeps_its_traceback(said: io.StringIO) -> None:
    log_with_traceback("django.request", ZeroDivisionError("ours"))
    assert "\n    ZeroDivisionError: ours\n" in said.getvalue()


@pytest.mark.parametrize(("status", "level"), [(404, "INFO"), (429, "INFO"), (500, "WARNING")])
def test_a_refused_request_is_no_warning(status: int, level: str, said: io.StringIO) -> None:
    logging.getLogger("django.request").warning("Not Found: /x", extra={"status_code": status})
    assert f" {level:<7} django.request: Not Found: /x" in said.getvalue()


def test_who_wants_warnings_only_does_not_get_refused_requests(said: io.StringIO) -> None:
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("django.request").warning("Not Found: /x", extra={"status_code": 404})
    assert said.getvalue() == ""


def test_a_replaced_worker_is_no_critical_event(said: io.StringIO) -> None:
    logging.getLogger("django-q").critical("reincarnated worker %s after death", "Process-1:1")
    assert "WARNING django-q: a worker process died and was replaced (Process-1:1)" in said.getvalue()

"""What a handler says while it runs: ctx.log, logging, prints; kept with the attempt, capped and redacted."""

import io
import json
import logging
import sys
import time
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from typing import Any

from actions import running
from actions.limits import storable
from actions.sensitive import redact, redact_value
from dotdo_site.lib.logs import one_line

CAP_BYTES = 64 * 1024


class Recorder:
    """The lines of one attempt: `at` (seconds since its start), `level`, `source`, `message`."""

    def __init__(self, secrets: set[str]) -> None:
        self.secrets = secrets
        self.started = time.monotonic()
        self.lines: list[dict[str, Any]] = []
        self.size = self.cut_lines = self.cut_bytes = 0

    def add(self, level: str, source: str, message: str) -> None:
        """Keep a line, or as much of it as fits; count the rest."""
        clean = readable(redact(storable(message), self.secrets))
        room = max(0, CAP_BYTES - self.size)
        kept = clean.encode()[:room].decode(errors="ignore")
        lost = len(clean.encode()) - len(kept.encode())
        self.cut_lines += lost > 0 or not room
        self.cut_bytes += lost
        if room:
            self.size += len(kept.encode())
            self._append(level, source, kept)

    def result(self) -> list[dict[str, Any]]:
        """Return the lines; the last one says what was cut."""
        if not self.cut_lines:
            return self.lines
        note = f"log cut at {CAP_BYTES // 1024} KiB: {self.cut_bytes} bytes in {self.cut_lines} lines were not kept"
        at = self.lines[-1]["at"] if self.lines else 0.0
        return [*self.lines, {"at": at, "level": "warning", "source": "dotdo", "message": note}]

    def _append(self, level: str, source: str, message: str) -> None:
        # Each line costs a little even when empty, so that empty ones cannot fill the memory.
        self.size += 16
        at = round(time.monotonic() - self.started, 3)
        self.lines.append({"at": at, "level": level, "source": source, "message": message})


_recorder: ContextVar[Recorder | None] = ContextVar("actions.recorder", default=None)


def capture(secrets: set[str]) -> AbstractContextManager[Recorder]:
    """Record what this thread says, until the block ends; other threads keep their output."""
    return _Capture(secrets)


def write(level: str, message: str, fields: dict[str, Any]) -> None:
    """Record a line of the handler; outside an attempt it goes to the log."""
    current = running.current()
    shown = redact_value(json.loads(json.dumps(fields, default=str)), current.secrets if current else ())
    text = " ".join([str(message), *(f"{key}={_field(value)}" for key, value in shown.items())])
    recorder = _recorder.get()
    if recorder is not None:
        recorder.add(level, "handler", text)
    else:
        logging.getLogger("actions.handler").log(logging.getLevelNamesMapping()[level.upper()], "%s", text)


def keep_secrets_out() -> None:
    """Make log records of running handlers, wherever they are written to, lose the secrets that the handler was given.

    Called once, at start.
    """
    logging.setLogRecordFactory(_record)


def readable(text: str) -> str:
    """Return the text with control characters escaped; line breaks and tabs stay."""
    return "\n".join("\t".join(one_line(part) for part in line.split("\t")) for line in text.splitlines())


def _field(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_make_record = logging.getLogRecordFactory()
_formatter = logging.Formatter()


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record = _make_record(*args, **kwargs)
    current = running.current()
    if current is None or not current.secrets:
        return record
    try:
        message = record.getMessage()
    except (TypeError, ValueError):  # the arguments do not fit; logging would print them as they are
        message = f"{record.msg} {record.args}"
    record.msg, record.args = redact(message, current.secrets), ()
    if record.exc_info:
        record.exc_text = redact(_formatter.formatException(record.exc_info), current.secrets)
        record.exc_info = None  # nobody formats it again
    if record.stack_info:
        record.stack_info = redact(record.stack_info, current.secrets)
    return record


class _Records(logging.Handler):
    """Sends log records to the attempt that runs in the thread which made them."""

    def emit(self, record: logging.LogRecord) -> None:
        recorder = _recorder.get()
        if recorder is None:
            return
        try:
            recorder.add(record.levelname.lower(), record.name, self.format(record))
        except Exception:  # noqa: BLE001 - logging must not break what it describes
            self.handleError(record)


_handler = _Records()


class _Capture(AbstractContextManager[Recorder]):
    __slots__ = ("err", "out", "prints", "recorder", "token")

    def __init__(self, secrets: set[str]) -> None:
        self.recorder = Recorder(secrets)

    def __enter__(self) -> Recorder:
        root = logging.getLogger()
        if _handler not in root.handlers:
            root.addHandler(_handler)
        self.token: Token[Recorder | None] = _recorder.set(self.recorder)
        self.out, self.err = sys.stdout, sys.stderr
        self.prints = _prints_on(self.out, "stdout", "info"), _prints_on(self.err, "stderr", "warning")
        sys.stdout, sys.stderr = self.prints
        return self.recorder

    def __exit__(self, *_: object) -> None:
        sys.stdout, sys.stderr = self.out, self.err
        for stream in self.prints:
            stream.finish(self.recorder)
        _recorder.reset(self.token)


def _prints_on(stream: Any, source: str, level: str) -> "_Prints":
    """Return what records prints on a stream; one attempt after the other uses the same."""
    found = _prints.get(source)
    if found is None or found.stream is not stream or found.closed:
        found = _prints[source] = _Prints(stream, source, level)
    return found


class _Prints(io.TextIOBase):
    """A text stream that records whole lines of the capturing thread and passes on those of others."""

    def __init__(self, stream: Any, source: str, level: str) -> None:
        self.stream, self.source, self.level = stream, source, level
        self.pending = ""

    def write(self, text: str) -> int:
        recorder = _recorder.get()
        if recorder is None:
            return int(self.stream.write(text) or 0)
        *lines, self.pending = (self.pending + text).split("\n")
        if len(self.pending) > CAP_BYTES:
            lines, self.pending = [*lines, self.pending], ""
        for line in lines:
            recorder.add(self.level, self.source, line)
        return len(text)

    def flush(self) -> None:
        if _recorder.get() is None:
            self.stream.flush()

    def fileno(self) -> int:
        return int(self.stream.fileno())

    def writable(self) -> bool:
        return True

    def finish(self, recorder: Recorder) -> None:
        """Record the last line when it did not end."""
        if self.pending:
            recorder.add(self.level, self.source, self.pending)
            self.pending = ""


_prints: dict[str, _Prints] = {}

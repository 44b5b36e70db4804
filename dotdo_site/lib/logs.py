"""Log lines that stay one line: control characters in data cannot forge entries or colour a terminal."""

import logging
import re
import unicodedata

SERVER_ERROR = 500
REPLACED = re.compile(r"reincarnated worker (\S+) after death")


def one_line(text: str) -> str:
    """Return `text` with control and direction-changing characters written as escapes."""
    return "".join(
        c if unicodedata.category(c) not in {"Cc", "Cf", "Zl", "Zp"} else c.encode("unicode_escape").decode()
        for c in text
    )


class Tone(logging.Filter):
    """Say quietly, in one line, what somebody outside can provoke and what the cluster repairs by itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = None  # where the request was refused is never of interest
            _relabel(record, logging.WARNING)
        elif record.name == "django.request" and getattr(record, "status_code", SERVER_ERROR) < SERVER_ERROR:
            _relabel(record, logging.INFO)
        elif record.name == "django-q" and (replaced := REPLACED.fullmatch(record.getMessage())):
            record.msg, record.args = "a worker process died and was replaced (%s)", (replaced[1],)
            _relabel(record, logging.WARNING)
        return logging.getLogger().isEnabledFor(record.levelno)


def _relabel(record: logging.LogRecord, level: int) -> None:
    record.levelno, record.levelname = level, logging.getLevelName(level)


class LineFormatter(logging.Formatter):
    """Format `time level logger message`; a traceback follows on lines of its own, indented."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record, "%H:%M:%S")
        line = f"{stamp} {record.levelname:<7} {record.name}: {one_line(record.getMessage())}"
        trace = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        if trace:
            line += "\n" + "\n".join("    " + one_line(part) for part in trace.splitlines())
        return line

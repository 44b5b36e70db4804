"""Log lines that stay one line: control characters in data cannot forge entries or colour a terminal."""

import logging
import unicodedata


def one_line(text: str) -> str:
    """Return `text` with control and direction-changing characters written as escapes."""
    return "".join(
        c if unicodedata.category(c) not in {"Cc", "Cf", "Zl", "Zp"} else c.encode("unicode_escape").decode()
        for c in text
    )


class LineFormatter(logging.Formatter):
    """Format `time level logger message`; a traceback follows on lines of its own, indented."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record, "%H:%M:%S")
        line = f"{stamp} {record.levelname:<7} {record.name}: {one_line(record.getMessage())}"
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            line += "\n" + "\n".join("    " + one_line(part) for part in trace.splitlines())
        return line

"""What the stand-ins remember: one SQLite file, so that a restart changes nothing that a run has seen."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TABLES = """
CREATE TABLE IF NOT EXISTS charge (
    key TEXT PRIMARY KEY, customer TEXT NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL, asked INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS record (
    id TEXT PRIMARY KEY, fields TEXT NOT NULL, revision INTEGER NOT NULL, refused INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS mail (
    message_id TEXT PRIMARY KEY, recipients TEXT NOT NULL, subject TEXT NOT NULL, refused INTEGER NOT NULL,
    received INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS done (
    what TEXT NOT NULL, key TEXT NOT NULL, answer TEXT NOT NULL, asked INTEGER NOT NULL,
    PRIMARY KEY (what, key));
"""


class Store:
    """The file, shared by the threads of one process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.mail = folder / "mail"
        self.mail.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(folder / "standins.sqlite3", check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript(TABLES)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread at a time; commit at the end, or nothing on an error."""
        with self._lock, self._connection:
            yield self._connection

    def close(self) -> None:
        """Close the file once nobody uses it any more."""
        with self._lock:
            self._connection.close()

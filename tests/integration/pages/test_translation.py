"""The pages speak another language as soon as there is one: no word of their own reaches a page untranslated.

The language of this test puts every text into brackets. What stands outside of brackets must be data.
"""

import gettext
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.utils.translation import trans_real

from tests.support.addresses import furnish
from tests.support.pages import Seeded

Reader = Callable[..., Client]
WORD = re.compile(r"[^\W\d_]{3,}")
BRACKETS = re.compile(r"⟦[^⟦⟧]*⟧")
ENDS_OF_IDS = re.compile(r"…[0-9a-f]{8}")
READ_OUT = {"aria-label", "title", "placeholder", "alt", "data-label"}
NAMES = {"dotdo", "utc", "json", "http", "curl", "sha", "api", "yaml", "csv", "ndjson"}
DATA = {"code", "kbd", "script", "pre", "time", "option", "samp", "style", "textarea"}


class Bracketed(gettext.NullTranslations):
    """A language in which every text is the English one in brackets."""

    def gettext(self, message: str) -> str:
        """Put a text into brackets, without its context."""
        return f"⟦{message.rpartition(trans_real.CONTEXT_SEPARATOR)[2]}⟧" if message.strip() else message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Choose as English does."""
        return self.gettext(msgid1 if n == 1 else msgid2)

    def to_language(self) -> str:
        """Count as English where formats are looked up."""
        return "en"


class Shown(HTMLParser):
    """Collects what a reader sees or hears, apart from what stands in elements for data."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.data = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the attributes that are read out."""
        self.data += tag in DATA
        self.texts += [value for name, value in attrs if name in READ_OUT and value and tag != "time"]

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self.data -= tag in DATA

    def handle_data(self, data: str) -> None:
        """Take text."""
        if not self.data:
            self.texts.append(data)


@pytest.fixture
def bracketed() -> Iterator[None]:
    """Speak the language of brackets."""
    trans_real._active.value = Bracketed()  # type: ignore[attr-defined]
    yield
    del trans_real._active.value  # type: ignore[attr-defined]


def test_every_word_of_a_page_is_translated_or_data(
    reader: Reader, runs: Seeded, tmp_path: Path, bracketed: None
) -> None:
    client = reader("Admin", staff=True)
    pages = furnish(runs, tmp_path)
    data = known_words() | {word.lower() for each in pages.values() for word in WORD.findall(" ".join(each))}
    found = [f"{name}: {text}" for name, each in pages.items() for text in left_over(client, each, data)]
    if found:
        pytest.fail("\n".join(found))


def left_over(client: Client, addresses: list[str], data: set[str]) -> list[str]:
    """Return the texts with a word that is neither translated nor data."""
    page = Shown()
    for address in addresses:
        page.feed(client.get(address).content.decode())
    texts = outside("\0".join(page.texts)).split("\0")
    return sorted({text.strip() for text in texts if {word.lower() for word in WORD.findall(text)} - data})


def outside(text: str) -> str:
    """Return what stands outside of brackets, which may be in brackets themselves, and is no end of an id."""
    while BRACKETS.search(text):
        text = BRACKETS.sub(" ", text)
    return ENDS_OF_IDS.sub(" ", text)


def known_words() -> set[str]:
    """Return every word of the database, which is data wherever it is shown."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [row[0] for row in cursor.fetchall()]
        words = set(NAMES)
        for table in tables:
            cursor.execute(f'SELECT to_json(t) FROM "{table}" t')
            words |= {word.lower() for row in cursor.fetchall() for word in WORD.findall(json.dumps(row[0]))}
    return words

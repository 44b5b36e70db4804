"""Every word of a template can be translated: none stands bare in the text or in an attribute that is read out."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings

FOLDER = Path(settings.BASE_DIR) / "templates"
NAMES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.html"))
# These are shown when nothing works, so they ask for nothing, not even a translation.
ALONE = {"500.html", "503.html"}
# Only the attributes of an element.
ATTRIBUTES = {"definitions/_aria.html"}
READ_OUT = {"aria-label", "aria-description", "title", "placeholder", "alt", "data-label", "label"}
PARTS = re.compile(
    r"{#.*?#}|{%\s*comment.*?{%\s*endcomment\s*%}|{%\s*blocktrans(?:late)?\b.*?{%\s*endblocktrans(?:late)?\s*%}"
    r"|{%.*?%}|{{.*?}}",
    re.DOTALL,
)
SHOWN_BY_TAGS = re.compile(r"""{%\s*(?:include|json_view|status)\b[^%]*?\b(?:label|title|text)=["']""")
WORD = re.compile(r"[^\W\d_]{2}")
DOTTED = re.compile(r"[\w-]+(\.[\w-]+)+")
NAMES_OF_THINGS = {"dotdo", "CSV", "NDJSON", "JSON", "YAML", "UTC"}
QUIET = {"code", "kbd", "script"}


class Bare(HTMLParser):
    """Collects the words of a page that stand outside of tags of the template language."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.quiet = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at what an element says in its attributes."""
        self.quiet += tag in QUIET
        labelled = tag == "input" and dict(attrs).get("type") in {"submit", "button"}
        read_out = READ_OUT | ({"value"} if labelled else set())
        self.found += [f"{tag} {name}={value}" for name, value in attrs if name in read_out and is_bare(value or "")]

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self.quiet -= tag in QUIET

    def handle_data(self, data: str) -> None:
        """Look at text."""
        if not self.quiet and is_bare(data):
            self.found.append(data.strip())


def is_bare(text: str) -> bool:
    words = (word.strip("·.,:;!?()…") for word in text.split())
    return any(WORD.search(word) and word not in NAMES_OF_THINGS and not DOTTED.fullmatch(word) for word in words)


def bare_words(template: str) -> list[str]:
    reader = Bare()
    reader.feed(PARTS.sub("", template))
    return [*reader.found, *SHOWN_BY_TAGS.findall(template)]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ALONE | ATTRIBUTES])
def test_no_word_of_a_template_stands_bare(name: str) -> None:
    assert bare_words((FOLDER / name).read_text()) == []


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<p>Runs</p>", True),
        ('<p>{% translate "Runs" %}</p>', False),
        ("<p>{% blocktranslate trimmed %}{{ n }} runs <b>here</b>{% endblocktranslate %}</p>", False),
        ('<p aria-label="Runs"></p>', True),
        ('<p aria-label="{% translate "Runs" %}"></p>', False),
        ('<input placeholder="{{ x }} now">', True),
        ("<p>{{ run.name }} <code>make login</code> · 12 {# a note #}</p>", False),
        ('{% include "_x.html" with title="Runs" %}', True),
    ],
)
def test_bare_words_are_told_from_others(template: str, found: bool) -> None:
    assert bool(bare_words(template)) == found

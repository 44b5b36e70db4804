"""Templates: all compile, and none carries what the content security policy refuses."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template, render_to_string

FOLDER = Path(settings.BASE_DIR) / "templates"
NAMES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.html"))
FORBIDDEN = re.compile(
    r"<style|\sstyle=|\son\w+=[\x22\x27]|<script(?![^>]*\ssrc=)|javascript:|\bhx-on|\bhx-vals=.js:|\|safe\b"
    r"|autoescape off"
)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_compiles(name: str) -> None:
    get_template(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_has_no_inline_style_script_or_handler_and_never_switches_escaping_off(name: str) -> None:
    text = re.sub(r"{#.*?#}", "", (FOLDER / name).read_text())
    assert not FORBIDDEN.search(text)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if Path(name).name.startswith("_") and name != "_problem.html"]
)
def test_a_fragment_never_extends(name: str) -> None:
    assert "{% extends" not in (FOLDER / name).read_text()


def test_the_error_page_needs_nothing_to_be_rendered() -> None:
    assert "{%" not in (FOLDER / "500.html").read_text()
    assert "Something went wrong" in render_to_string("500.html")

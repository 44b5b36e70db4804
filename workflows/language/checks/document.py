"""The document around the tasks: its keys, `document`, `input`, `output`."""

import re
from typing import Any

from workflows.language.checks.refused import DOTDO_OF_DOCUMENT, TOP
from workflows.language.checks.report import Report, at, check_object, check_text
from workflows.language.checks.values import EVERYWHERE, RESULT, check_data, check_metadata
from workflows.language.locking import VERSION

ACCEPTED = re.compile(r"1\.0\.[0-3]")
LABEL = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
LOWER_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

FORMS = {
    "dsl": (ACCEPTED, "1.0.0 to 1.0.3", 'Write `dsl: "1.0.3"`.'),
    "namespace": (LABEL, "letters, digits and inner hyphens, 63 at most", ""),
    "name": (LOWER_LABEL, "lower-case letters, digits and inner hyphens, 63 at most", ""),
    "version": (VERSION, "a version such as 1.0.0", 'Quote it: `version: "1.0.0"`.'),
}
LONGEST_TITLE = 200
ABOUT = (*FORMS, "title", "summary", "tags", "metadata")


def check_document(report: Report, document: Any) -> bool:
    """Check everything but the tasks; tell whether there is a document to look into at all."""
    keys = ("document", "input", "do", "output", "metadata")
    if not check_object(report, document, "", keys, required=("document", "do"), not_yet=TOP):
        return False
    if "document" in document:
        _check_about(report, document["document"])
    if "input" in document:
        check_data(report, document["input"], "/input", "from", EVERYWHERE)
    if "output" in document:
        check_data(report, document["output"], "/output", "as", RESULT)
    check_metadata(report, document, "")
    return True


def _check_about(report: Report, about: Any) -> None:
    if not check_object(report, about, "/document", ABOUT, required=FORMS):
        return
    for key, (form, expected, hint) in FORMS.items():
        value = about.get(key)
        if key in about and not (isinstance(value, str) and form.fullmatch(value)):
            report.add(at("/document", key), f"`{key}` is wrong", found=value, expected=expected, suggestion=hint)
    for key in ("title", "summary"):
        text = check_text(report, about, key, "/document") or ""
        if key == "title" and len(text) > LONGEST_TITLE:
            report.add("/document/title", f"the title has {len(text)} characters; the limit is {LONGEST_TITLE}")
    _check_tags(report, about.get("tags", {}))
    check_metadata(report, about, "/document", DOTDO_OF_DOCUMENT)


def _check_tags(report: Report, tags: Any) -> None:
    if not isinstance(tags, dict):
        report.add("/document/tags", "`tags` must be an object of texts", found=tags)
        return
    for key, value in tags.items():
        if not isinstance(value, str):
            report.add(at("/document/tags", key), "a tag must be a text", found=value, suggestion="Quote it.")

"""The document around the tasks: its keys, `document`, `input`, `output`, `timeout`, `evaluate`."""

import re
from typing import Any

from workflows.language.checks.metadata import check_document_metadata, check_metadata
from workflows.language.checks.refused import EVALUATE
from workflows.language.checks.report import Report, at, check_object, check_text
from workflows.language.checks.schedule import check_schedule
from workflows.language.checks.use import check_use
from workflows.language.checks.values import EVERYWHERE, RESULT, check_data, check_timeout
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
TOP = ("document", "input", "use", "do", "timeout", "output", "schedule", "evaluate", "metadata")
# The one word that each key of `evaluate` may have.
STRICT_JQ = {"language": "jq", "mode": "strict"}


def check_document(report: Report, document: Any) -> bool:
    """Check everything but the tasks; tell whether there is a document to look into at all."""
    if not check_object(report, document, "", TOP, required=("document", "do")):
        return False
    if "document" in document:
        _check_about(report, document["document"])
    if "input" in document:
        check_data(report, document["input"], "/input", "from", EVERYWHERE)
    if "use" in document:
        check_use(report, document["use"])
    if "timeout" in document:
        check_timeout(report, document["timeout"], "/timeout", EVERYWHERE)
    if "output" in document:
        check_data(report, document["output"], "/output", "as", RESULT)
    if "schedule" in document:
        check_schedule(report, document["schedule"])
    if "evaluate" in document:
        _check_evaluate(report, document["evaluate"])
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
    check_document_metadata(report, about)


def _check_tags(report: Report, tags: Any) -> None:
    if not isinstance(tags, dict):
        report.add("/document/tags", "`tags` must be an object of texts", found=tags)
        return
    for key, value in tags.items():
        if not isinstance(value, str):
            report.add(at("/document/tags", key), "a tag must be a text", found=value, suggestion="Quote it.")


def _check_evaluate(report: Report, value: Any) -> None:
    if not check_object(report, value, "/evaluate", STRICT_JQ):
        return
    for key, word in STRICT_JQ.items():
        if value.get(key, word) != word:
            found, hint = value[key], EVALUATE[key]
            report.add(at("/evaluate", key), "this is not supported", found=found, expected=word, suggestion=hint)

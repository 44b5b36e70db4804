"""Everything that keeps a document from being published, at once, each with its pointer.

What is known to the language but not enforced by this release is refused like what is unknown (nothing is accepted that
is not enforced). The tools that look inside expressions and schemas are given by the caller: the language itself
depends on nothing.
"""

import json
from dataclasses import replace
from functools import lru_cache
from typing import Any

from workflows.language.catalog import Catalog, CheckCron, CheckSchema, CompileAll, CompileExpression
from workflows.language.checks.document import check_document
from workflows.language.checks.report import MAX_PROBLEMS, Problem, Report
from workflows.language.checks.tasks import check_tasks
from workflows.language.loader import LIMIT
from workflows.language.strictness import DEEPEST

__all__ = ["Problem", "validate"]


def validate(
    document: Any,
    catalog: Catalog,
    *,
    compile_expression: CompileExpression,
    check_schema: CheckSchema,
    check_cron: CheckCron = lambda _: None,
    compile_all: CompileAll | None = None,
) -> list[Problem]:
    """Return all problems of a document, 200 at most; none means that it can be locked and built."""
    too_large = _size_problem(document)
    if too_large:
        return [too_large]
    if not isinstance(document, dict):
        return [Problem("", "the document must be an object", suggestion="It begins with `document:` and `do:`.")]
    report = Report(document, catalog, lru_cache(None)(compile_expression), check_schema, check_cron)
    if compile_all is not None:
        report.compile_expression = _ahead(report, compile_all)
    _check(report)
    if report.full:
        report.problems[-1] = Problem("", f"there are more problems; these are the first {MAX_PROBLEMS - 1}")
    return report.problems


def _check(report: Report) -> None:
    if check_document(report, report.document) and "do" in report.document:
        check_tasks(report, report.document["do"])


def _ahead(report: Report, compile_all: CompileAll) -> CompileExpression:
    """Compile all expressions at once. A first round, whose problems nobody sees, finds out which there are."""
    wanted: dict[tuple[str, frozenset[str]], None] = {}
    _check(
        replace(
            report,
            problems=[],
            compile_expression=lambda text, variables: wanted.setdefault((text, variables)),
            check_schema=lambda _: (),
        )
    )
    known, one = compile_all(wanted), report.compile_expression
    return lambda text, variables: known[text, variables] if (text, variables) in known else one(text, variables)


def _size_problem(document: Any) -> Problem | None:
    if _deeper(document, DEEPEST):
        return Problem("", f"the document is nested deeper than {DEEPEST} levels", suggestion="Simplify it.")
    size = len(json.dumps(document, ensure_ascii=False).encode(errors="replace"))
    if size > LIMIT:
        message = f"the document has {size} bytes; the limit is {LIMIT}"
        return Problem("", message, suggestion="Split it into several workflows.")
    return None


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(item, levels - 1) for item in inside)

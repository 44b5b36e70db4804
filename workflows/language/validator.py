"""Everything that keeps a document from being published, at once, each with its pointer.

What is known to the language but not enforced by this release is refused like what is unknown (nothing is accepted that
is not enforced). The tools that look inside expressions and schemas are given by the caller: the language itself
depends on nothing.
"""

import json
from functools import lru_cache
from typing import Any

from workflows.language.catalog import Catalog, CheckCron, CheckSchema, CompileExpression
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
) -> list[Problem]:
    """Return all problems of a document, 200 at most; none means that it can be locked and built."""
    too_large = _size_problem(document)
    if too_large:
        return [too_large]
    whole = document if isinstance(document, dict) else {}
    report = Report(whole, catalog, lru_cache(None)(compile_expression), check_schema, check_cron)
    if check_document(report, document) and "do" in document:
        check_tasks(report, document["do"])
    if len(report.problems) == MAX_PROBLEMS:
        report.problems[-1] = Problem("", f"there are more problems; these are the first {MAX_PROBLEMS - 1}")
    return report.problems


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

"""Look for what is not accessible on a page, with axe."""

import json
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

COMMAND = "axe.run(%s).then((found) => found.violations)"


def violations(page: Page, **options: Any) -> list[dict[str, Any]]:
    """Return what axe finds wrong; its script is put into a page once, and what passes is not sent back."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate(COMMAND % json.dumps({"resultTypes": ["violations"], **options}))
    return found

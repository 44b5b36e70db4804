"""Take the pictures of the documentation from a fresh `make up`, once its three first runs have come to rest:

.venv/bin/python docs/screenshots.py "$(make --silent login)"
"""  # noqa: INP001 - a script, not a package

import sys
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).resolve().parent / "images"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGES = {"overview": "/", "start": "/workflows/customer-onboarding/start/"}
RUNS = {"run-succeeded": "succeeded", "run-failed": "dead_letter"}


def main(link: str) -> None:
    """Sign in with a one-time link and take every picture: light, 1440 pixels wide."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM if CHROMIUM.exists() else None, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
        page.goto(link)
        for name, path in PAGES.items():
            page.goto(urljoin(link, path))
            _take(page, name)
        for name, status in RUNS.items():
            page.goto(urljoin(link, f"/runs/?status={status}"))
            page.locator("table a[href^='/runs/']").first.click()
            _take(page, name)
        browser.close()


def _take(page: Page, name: str) -> None:
    page.wait_for_load_state("load")
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    main(sys.argv[1])

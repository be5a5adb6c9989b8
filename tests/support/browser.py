"""The system's Chromium, driven by Playwright; axe-core, which says what keeps somebody from using a page; and pictures of it."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

__all__ = ["find_violations", "keep_picture", "needs_browser", "open_browser"]

WEB = Path(__file__).parents[2] / "gateway" / "web"
PICTURES = Path(__file__).parents[2] / "out" / "screenshots"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"


def find_chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


needs_browser = [
    pytest.mark.skipif(find_chromium() is None, reason="NO BROWSER TEST RUNS: no Chromium; apt-get install chromium"),
    pytest.mark.skipif(not AXE.is_file(), reason="NO BROWSER TEST RUNS: the page's tools are not installed; make venv"),
]


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Headless. Without its sandbox, which needs more than a container allows; it only opens pages of ours."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


async def keep_picture(page: Page, name: str, *, whole: bool = False) -> None:
    """What is on the screen now, or the ``whole`` page, for people to look at: no test compares it."""
    if whole:
        await page.evaluate("scrollTo(0, 0)")  # STOP, which stays in sight, would stand where it was scrolled to
    await page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)


async def find_violations(page: Page) -> list[str]:
    """What axe-core finds wrong, a line each."""
    # Through the debugger's own door: the page's Content-Security-Policy takes no inline script.
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = await page.evaluate("async () => (await axe.run()).violations")
    return [f"{one['id']}: {one['help']}: {', '.join(str(node['target']) for node in one['nodes'])}" for one in found]

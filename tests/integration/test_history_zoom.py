"""Looking closer at the traces without a mouse: by keyboard alone, and with a thumb on a phone; on a session and on two compared."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page
from tests.integration.test_history_page import HOLED, PHONE, SCREEN, WHOLE, settings
from tests.support.brokers import find_free_port
from tests.support.browser import find_violations, needs_browser, open_browser
from tests.support.history_files import SECONDS, write_history

from wavewrap_dashboard.process import open_dashboard

pytestmark = [pytest.mark.realtime, *needs_browser]

THUMB_PX = 44
TABS_MAX = 60
SPAN = re.compile(r"0:(\d\d\.\d) to (\d):(\d\d\.\d) of 1:00\.0\.")
Told = dict[str, Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return asyncio.run(_tell(tmp_path_factory.mktemp("zoom")))


async def _tell(folder: Path) -> Told:
    told: Told = {}
    write_history(folder / "history.sqlite")
    async with open_browser() as browser, open_dashboard(settings(folder, find_free_port())) as dashboard:
        await _by_keyboard(browser, dashboard.url, told)
        await _by_thumb(browser, dashboard.url, told)
    return told


async def _until(page: Page, wanted_s: tuple[float, float]) -> None:
    """Until the page tells that it shows those seconds, give or take the sample at each end."""
    seen = None
    async with asyncio.timeout(20.0):
        while seen is None or max(abs(one - wanted) for one, wanted in zip(seen, wanted_s, strict=True)) > 0.11:
            await asyncio.sleep(0.05)
            found = SPAN.match(await page.locator(".zoom-told").inner_text())
            seen = None if found is None else (float(found[1]), 60.0 * int(found[2]) + float(found[3]))


async def _tab_to(page: Page, name: str) -> None:
    """With the Tab key alone, as far as there is something to come to."""
    focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
    for _ in range(TABS_MAX):
        await page.keyboard.press("Tab")
        if await page.evaluate(focused) == name:
            return
    pytest.fail(f"no {name} within {TABS_MAX} tabs")


async def _by_keyboard(browser: Browser, url: str, told: Told) -> None:
    context = await browser.new_context(viewport={"width": SCREEN[0], "height": SCREEN[1]}, locale="en-GB", timezone_id="UTC")
    page = await context.new_page()
    page.set_default_timeout(20_000)
    await page.goto(url)
    await page.goto(page.url.partition("?")[0].rstrip("/") + f"/history/{HOLED}")
    whole_s = (0.0, SECONDS)
    await _until(page, whole_s)
    told["group"] = await page.get_by_role("group", name="Which part is shown").count()
    await _tab_to(page, "Further")
    await page.keyboard.press("Enter")  # there is nothing further: it stays
    await _until(page, whole_s)
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await _until(page, (15.0, 45.0))
    await _tab_to(page, "Later")
    await page.keyboard.press("Space")
    await _until(page, (30.0, 60.0))
    told["no later"] = await page.get_by_role("button", name="Later").get_attribute("aria-disabled")
    told["focus stays"] = await page.evaluate("document.activeElement.getAttribute('aria-label')")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await _until(page, (15.0, 45.0))
    await _tab_to(page, "Whole session")
    await page.keyboard.press("Enter")
    await _until(page, whole_s)
    # On a trace: plus, minus, and Shift with an arrow.
    await page.locator(".trace .chart").first.focus()
    await page.keyboard.press("+")
    await page.keyboard.press("+")
    await _until(page, (22.5, 37.5))
    await page.keyboard.press("Shift+ArrowLeft")
    await _until(page, (15.0, 30.0))
    await page.keyboard.press("-")
    await _until(page, (7.5, 37.5))
    told["session violations"] = await find_violations(page)
    await page.goto(page.url.partition("/history")[0] + f"/compare?one={WHOLE}&other={HOLED}")
    await _until(page, whole_s)
    await _tab_to(page, "Closer")
    await page.keyboard.press("Enter")
    await _until(page, (15.0, 45.0))
    await page.keyboard.press("Enter")
    await _until(page, (22.5, 37.5))
    await _tab_to(page, "Earlier")
    await page.keyboard.press("Enter")
    await _until(page, (15.0, 30.0))
    told["compared"] = await page.locator(".smalls canvas").count()
    told["compare violations"] = await find_violations(page)
    await context.close()


async def _by_thumb(browser: Browser, url: str, told: Told) -> None:
    size = {"width": PHONE[0], "height": PHONE[1]}
    context = await browser.new_context(viewport=size, has_touch=True, is_mobile=True, locale="de-DE", timezone_id="UTC")  # type: ignore[arg-type]  # two integers
    page = await context.new_page()
    page.set_default_timeout(20_000)
    await page.goto(url)
    for name, address in (("session", f"/history/{HOLED}"), ("compare", f"/compare?one={WHOLE}&other={HOLED}")):
        await page.goto(page.url.partition("?")[0].partition("/history")[0].rstrip("/") + address)
        await page.get_by_text("0:00.0 bis 1:00.0 von 1:00.0").wait_for()
        buttons = page.get_by_role("group", name="Welcher Teil gezeigt wird").get_by_role("button")
        boxes = [await button.bounding_box() for button in await buttons.all()]
        told[f"{name} boxes"] = [(box["width"], box["height"], box["x"], box["x"] + box["width"]) for box in boxes if box is not None]
        await page.get_by_role("button", name="Näher").tap()
        await page.get_by_text("0:15.0 bis 0:45.0 von 1:00.0").wait_for()
        await page.get_by_role("button", name="Früher").tap()
        await page.get_by_text("0:00.0 bis 0:30.0 von 1:00.0").wait_for()
        told[f"{name} violations on a phone"] = await find_violations(page)
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        told[f"{name} overflow_px"] = await page.evaluate(script)
        await page.get_by_role("button", name="Ganze Sitzung").tap()
        await page.get_by_text("0:00.0 bis 1:00.0 von 1:00.0").wait_for()
    await context.close()


def test_every_part_of_a_session_is_reached_by_keyboard_alone(told: Told) -> None:
    assert (told["group"], told["no later"], told["focus stays"]) == (1, "true", "Later")
    assert told["compared"] > 0


@pytest.mark.parametrize("name", ["session", "compare"])
def test_a_thumb_finds_the_buttons_on_a_phone(told: Told, name: str) -> None:
    boxes = told[f"{name} boxes"]
    assert len(boxes) == 5
    assert min(min(width, height) for width, height, _, _ in boxes) >= THUMB_PX
    assert all(0 <= left < right <= PHONE[0] for _, _, left, right in boxes)
    assert told[f"{name} overflow_px"] <= 0


def test_nothing_keeps_anybody_from_it(told: Told) -> None:
    found = {name: lines for name, lines in told.items() if "violations" in name}
    assert len(found) == 4
    assert {name: lines for name, lines in found.items() if lines} == {}

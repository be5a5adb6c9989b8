"""The history's pages in a real browser, on a real SQLite file behind the real server and its service. One story, then looked at."""

import asyncio
import csv
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page
from tests.support.brokers import find_free_port
from tests.support.browser import find_violations, keep_picture, needs_browser, open_browser
from tests.support.histories import CHAMBERS, make_head
from tests.support.history_files import DAY_S, HOLE, SECONDS, keep_heads, keep_sessions, write_history

from wavewrap_dashboard.process import open_dashboard
from wavewrap_dashboard.settings import DashboardSettings
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.recovery_journal import RecoveryJournal
from wavewrap_gateway.adapters.store_reader import list_sessions
from wavewrap_gateway.app.config import GatewayConfig, StorePlace
from wavewrap_gateway.app.dashboard import dashboard_settings
from wavewrap_protocol.journal_notes import SorenessNote

pytestmark = [pytest.mark.realtime, *needs_browser]

WHOLE, HOLED, RATED = "20231114-1-whole", "20231115-2-holed", "day-rated"
MORE = 60
SCREEN, PHONE, WIDE = (1280, 900), (390, 844), (1920, 1080)


@dataclass
class Story:
    """What was seen."""

    violations: dict[str, list[str]] = field(default_factory=dict)
    overflow_px: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return asyncio.run(_tell(tmp_path_factory.mktemp("history")))


def settings(folder: Path, port: int, *, record: bool = True) -> DashboardSettings:
    """As the gateway makes them, for a broker that is not there."""
    config = GatewayConfig(
        gateway="attic", store=StorePlace(str(folder / "history.sqlite")), record=record, known_wraps=folder / "known.json"
    )
    plain = config.model_copy(update={"dashboard": config.dashboard.model_copy(update={"port": port})})
    return DashboardSettings.model_validate_json(dashboard_settings(plain, MqttSettings.from_url("mqtt://127.0.0.1:1")))


async def _tell(folder: Path) -> Story:
    story = Story()
    store = keep_sessions(write_history(folder / "history.sqlite"), MORE)
    rate_around(store)
    port = find_free_port()
    async with open_browser() as browser:
        async with open_dashboard(settings(folder, port)) as dashboard:
            context = await browser.new_context(viewport=_size(SCREEN), color_scheme="light", locale="en-GB", timezone_id="UTC")
            page = await _open(context, dashboard.url, story)
            await _find(page, story)
            await _look_at_one(page, story)
            await _download(page, story, folder)
            await _compare(page, story)
            await _trends(page, story)
            await _delete(page, story)
            story.told["left"] = [entry.session_id for entry in list_sessions(str(store), 100)]
            await _in_german(browser, dashboard.url, story)
        await _while_the_server_is_away(page, story)
        async with open_dashboard(settings(folder, port)):
            await page.locator(".trend-charts canvas").first.wait_for()
            story.told["back"] = await page.locator(".trouble").count()
        await _without_a_history(browser, folder, story)
    return story


def rate_around(store: Path) -> None:
    """One more session, of half an hour and some months later, and how sore somebody was around it: not asked on the day after."""
    head = replace(make_head(RATED, started_s=MORE * DAY_S), planned_s=1800.0)
    keep_heads(store, [head], 1800.0)
    began_s = head.started_unix_s
    journal = RecoveryJournal(str(store), "attic", lambda: began_s + 3 * DAY_S)
    for at_s, soreness in ((-60.0, 7), (1860.0, 5), (1800.0 + 2 * DAY_S, 2)):
        journal.add(SorenessNote(unix_s=began_s + at_s, soreness=soreness))


def _size(size: tuple[int, int]) -> Any:
    return {"width": size[0], "height": size[1]}


async def _open(context: BrowserContext, url: str, story: Story) -> Page:
    page = await context.new_page()
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: story.complaints.append(str(error)))
    page.on("console", lambda told: story.complaints.append(told.text) if "Content Security" in told.text else None)
    page.on("request", lambda request: story.loaded.append(request.url))
    await page.goto(url)
    return page


async def _check(page: Page, story: Story, name: str) -> None:
    """In both themes, on a phone and on a wide screen."""
    for which, size, scheme in (("", SCREEN, "light"), (" dark", WIDE, "dark"), (" phone", PHONE, "light")):
        await page.set_viewport_size(_size(size))
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of two words
        story.violations[name + which] = await find_violations(page)
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        story.overflow_px[name + which] = await page.evaluate(script)
        await keep_picture(page, f"history-{name}{which}".replace(" ", "-"), whole=True)
    await page.set_viewport_size(_size(SCREEN))


async def _rows(page: Page, wanted: int) -> list[str]:
    """The sessions in the list, once there are as many as ``wanted``."""
    rows = page.locator(".sessions a")
    async with asyncio.timeout(20.0):
        while await rows.count() != wanted:  # noqa: ASYNC110  # the page is seen by looking
            await asyncio.sleep(0.05)
    hrefs: list[str] = await rows.evaluate_all("links => links.map(link => link.getAttribute('href').split('/').pop())")
    return hrefs


async def _find(page: Page, story: Story) -> None:
    await page.locator(".session").wait_for()
    story.told["loaded before"] = [Path(url).name for url in story.loaded]
    await page.get_by_role("link", name="History").click()
    first = await _rows(page, 50)
    story.told["address"] = page.url.rpartition(":")[2].partition("/")[2]
    story.told["first page"] = first
    await _check(page, story, "list")
    await page.get_by_role("button", name="Older").click()
    story.told["second page"] = await _rows(page, 4 + MORE - 50)
    await page.get_by_label("How it ended").select_option("stopped")
    story.told["stopped"] = await _rows(page, 1)
    await page.get_by_role("button", name="Reset").click()
    await _rows(page, 50)
    # The newest month comes up by itself; back to that of the three sessions with samples.
    for _ in range(2):
        await page.get_by_role("button", name="Month before").click()
    await page.get_by_role("heading", name="November 2023").wait_for()
    day = page.locator("button.day[data-move='2023-11-15']")
    story.told["day"] = await day.get_attribute("aria-label")
    await day.click()
    story.told["that day"] = await _rows(page, 2)


async def _look_at_one(page: Page, story: Story) -> None:
    await page.locator(f".sessions a[href='/history/{HOLED}']").click()
    await page.locator(".trace canvas").nth(1).wait_for()
    await page.get_by_text("0:00.0 to").wait_for()
    await _check(page, story, "session")
    await page.emulate_media(color_scheme="light")
    story.told["missing"] = await page.locator("section", has=page.get_by_role("heading", name="Missing samples")).inner_text()
    story.told["zoom before"] = await page.locator(".zoom-told").inner_text()
    chart = page.locator(".trace .u-over").first
    await chart.scroll_into_view_if_needed()
    await _drag(page, chart, 0.5, 0.6)
    await page.get_by_text("Every sample.").wait_for()
    story.told["zoom after"] = await page.locator(".zoom-told").inner_text()
    box = await _box(chart)
    await page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 60)
    moments = page.locator(".moment")
    await moments.nth(1).filter(has_text=re.compile(r"\d")).wait_for()
    story.told["cursors"] = await moments.all_inner_texts()
    story.told["values"] = await page.locator(".trace").first.locator(".value").all_inner_texts()
    await page.locator(".trace .chart").first.focus()
    await page.keyboard.press("-")
    await page.get_by_role("button", name="Whole session").click()
    await page.get_by_text(story.told["zoom before"]).wait_for()
    await page.get_by_role("button", name="Show 0:02").click()
    await page.get_by_text("to 0:30").wait_for()
    await page.emulate_media(media="print")
    story.told["stop on paper"] = await page.locator("#stop").is_visible()
    story.told["traces on paper"] = await page.locator(".trace canvas").first.is_visible()
    await page.emulate_media(media="screen")
    # STOP is here as on the live page, and Escape is STOP.
    await page.keyboard.press("Escape")
    story.told["stop here"] = await page.locator("#stop").get_attribute("data-step")


async def _box(of: Locator) -> dict[str, float]:
    box = await of.bounding_box()
    assert box is not None
    return {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}


async def _drag(page: Page, over: Locator, begin: float, end: float) -> None:
    box = await _box(over)
    await page.mouse.move(box["x"] + box["width"] * begin, box["y"] + 80)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * end, box["y"] + 80, steps=8)
    await page.mouse.up()


async def _download(page: Page, story: Story, folder: Path) -> None:
    for name in ("CSV", "PNG"):
        async with page.expect_download() as waiting:
            await page.get_by_role("button", name=name).click()
        file = await waiting.value
        path = folder / file.suggested_filename
        await file.save_as(path)
        story.told[name] = path


async def _compare(page: Page, story: Story) -> None:
    await page.get_by_role("link", name="All sessions").click()
    await _rows(page, 50)
    await page.goto(page.url.partition("/history")[0] + "/history?to=2023-11-15")
    await _rows(page, 4)
    for session in (WHOLE, HOLED):
        await page.locator("li", has=page.locator(f"a[href='/history/{session}']")).get_by_role("checkbox").check()
    await page.get_by_role("button", name="Compare").click()
    await page.locator(".smalls canvas").nth(2 * CHAMBERS - 1).wait_for()
    await _check(page, story, "compare")
    story.told["small charts"] = await page.locator(".smalls canvas").count()
    story.told["difference"] = await page.locator("table.figures").first.inner_text()


async def _trends(page: Page, story: Story) -> None:
    await page.goto(page.url.partition("/compare")[0] + "/trends")
    await page.get_by_text("The 30 newest of 64 sessions").wait_for()
    soreness = page.locator("figure", has=page.get_by_role("heading", name="Soreness"))
    story.told["soreness legend"] = await soreness.locator(".letters > span").all_inner_texts()
    story.told["soreness shapes"] = await soreness.locator(".letters path").evaluate_all("all => all.map(one => one.getAttribute('d'))")
    story.told["no figure"] = await page.get_by_text("No session has this figure.").count()
    await page.get_by_role("button", name="Older ones too").click()
    await page.get_by_text("The 60 newest of 64 sessions").wait_for()
    await page.get_by_role("button", name="Older ones too").click()
    await page.get_by_text("The 64 newest of 64 sessions").wait_for()
    await _check(page, story, "trends")
    await page.get_by_text("As a table").click()
    rated = page.locator("tr", has=page.locator(f"a[href='/history/{RATED}']")).first
    story.told["soreness cells"] = (await rated.locator("td").all_inner_texts())[2:6]
    story.told["trend row"] = await page.locator("tr", has=page.locator(f"a[href='/history/{WHOLE}']")).first.inner_text()


async def _delete(page: Page, story: Story) -> None:
    await page.locator(f"a[href='/history/{WHOLE}']").first.click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await _check(page, story, "delete")
    await page.get_by_role("button", name="Keep it").click()
    story.told["kept"] = await page.locator("dialog[open]").count()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("button", name="Delete it").click()
    await page.locator(".notice").wait_for()
    story.told["notice"] = await page.locator(".notice").inner_text()
    await _rows(page, 50)


async def _in_german(browser: Browser, url: str, story: Story) -> None:
    context = await browser.new_context(locale="de-DE")
    page = await _open(context, url, story)
    await page.get_by_role("link", name="Verlauf").click()
    await _rows(page, 50)
    story.told["german"] = await page.locator(".history h2").inner_text()
    story.told["monday first"] = await page.locator(".calendar th").first.inner_text()
    await context.close()


async def _while_the_server_is_away(page: Page, story: Story) -> None:
    await page.get_by_role("link", name="Trends").click()
    await page.locator(".trouble").wait_for()
    story.told["away"] = await page.locator(".trouble").inner_text()


async def _without_a_history(browser: Browser, folder: Path, story: Story) -> None:
    async with open_dashboard(settings(folder, find_free_port(), record=False)) as dashboard:
        context = await browser.new_context(locale="en-GB")
        page = await _open(context, dashboard.url, story)
        await page.get_by_role("link", name="History").click()
        await page.locator(".trouble").wait_for()
        story.told["none"] = await page.locator(".trouble").inner_text()
        await context.close()


def test_nothing_keeps_anybody_from_using_it(story: Story) -> None:
    assert len(story.violations) == 5 * 3
    assert {name: found for name, found in story.violations.items() if found} == {}
    assert {name: px for name, px in story.overflow_px.items() if px > 0} == {}
    assert story.complaints == []


def test_the_live_page_loads_nothing_of_it(story: Story) -> None:
    assert [name for name in story.told["loaded before"] if name.startswith("page-")] == []
    assert any("/assets/page-" in url for url in story.loaded)


def test_sessions_are_found_by_page_filter_and_day(story: Story) -> None:
    assert story.told["address"] == "history"
    assert story.told["first page"][0] == RATED
    assert set(story.told["second page"]) >= {WHOLE, HOLED}
    assert story.told["stopped"] == [HOLED]
    assert "15 November 2023: 2 sessions" in story.told["day"]
    assert HOLED in story.told["that day"]


def test_a_session_shows_what_is_missing_and_more_when_looked_at_closer(story: Story) -> None:
    assert story.told["missing"].count(f"{len(HOLE) * 10} samples missing") == 2
    assert "no peak is left out" in story.told["zoom before"] or "Every sample" in story.told["zoom before"]
    begin_s, end_s = (float(part) for part in re.findall(r"0:(\d\d\.\d)", story.told["zoom after"]))
    assert end_s - begin_s == pytest.approx(0.1 * SECONDS, abs=0.7)


def test_left_and_right_have_one_cursor(story: Story) -> None:
    left, right = story.told["cursors"]
    assert left == right
    assert all(" / " in value for value in story.told["values"])


def test_stop_is_here_too_and_not_on_paper(story: Story) -> None:
    assert story.told["stop here"] in {"asked", "failed"}
    assert (story.told["stop on paper"], story.told["traces on paper"]) == (False, True)


def test_files_come_as_files(story: Story) -> None:
    with story.told["CSV"].open(encoding="utf-8", newline="") as file:
        assert sum(1 for _ in csv.reader(file)) == 2 * (50 * SECONDS - len(HOLE) * 10) + 1
    assert story.told["CSV"].name == f"{HOLED}.csv"
    assert story.told["PNG"].read_bytes()[:4] == b"\x89PNG"


def test_two_sessions_are_laid_over_each_other(story: Story) -> None:
    assert story.told["small charts"] == 2 * CHAMBERS
    assert "over 15 mmHg, s" in story.told["difference"]


def test_trends_show_what_was_measured_and_nothing_else(story: Story) -> None:
    # The 30 newest have no samples: every figure but the count of what is missing, and what was noted about one of them.
    assert story.told["no figure"] == 5
    # Soreness: noted in the journal, in the order of the legend; the shapes are told apart without their colours.
    assert story.told["soreness legend"] == ["before", "after", "24 h later", "48 h later"]
    assert len(set(story.told["soreness shapes"])) == 4
    assert story.told["soreness cells"] == ["7", "5", "–", "2"]
    assert "–" in story.told["trend row"]
    assert re.search(r"\d\.\d", story.told["trend row"])


def test_deleting_asks_first(story: Story) -> None:
    assert story.told["kept"] == 0
    assert story.told["notice"].startswith("Deleted: the session of 14 Nov 2023")
    assert WHOLE not in story.told["left"]
    assert len(story.told["left"]) == 3 + MORE


def test_it_says_when_the_server_is_away_and_comes_back_by_itself(story: Story) -> None:
    assert "does not answer" in story.told["away"]
    assert story.told["back"] == 0


def test_it_speaks_german_and_says_when_there_is_no_history(story: Story) -> None:
    assert (story.told["german"], story.told["monday first"]) == ("Verlauf", "Mo")
    assert "record = false" in story.told["none"]

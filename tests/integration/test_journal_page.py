"""The recovery journal in a real browser, on a real SQLite file behind the real server and its service. One story, then looked at."""

import asyncio
import csv
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page
from tests.support.browser import find_violations, keep_picture, needs_browser, open_browser
from tests.support.journals import keep_session

from wavewrap_dashboard.process import open_dashboard
from wavewrap_dashboard.settings import DashboardSettings
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.store_journal import load_journal
from wavewrap_gateway.app.config import GatewayConfig, StorePlace
from wavewrap_gateway.app.dashboard import dashboard_settings
from wavewrap_protocol.journal_notes import RunNote, SorenessNote

pytestmark = [pytest.mark.realtime, *needs_browser]

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
    return asyncio.run(_tell(tmp_path_factory.mktemp("journal")))


def settings(folder: Path, *, record: bool = True) -> DashboardSettings:
    """As the gateway makes them, for a broker that is not there."""
    store = StorePlace(str(folder / "history.sqlite"))
    config = GatewayConfig(gateway="attic", store=store, record=record, known_wraps=folder / "known.json")
    plain = config.model_copy(update={"dashboard": config.dashboard.model_copy(update={"port": 0})})
    return DashboardSettings.model_validate_json(dashboard_settings(plain, MqttSettings.from_url("mqtt://127.0.0.1:1")))


async def _tell(folder: Path) -> Story:
    story = Story()
    store = folder / "history.sqlite"
    keep_session(store, ended_ago_h=24.5)
    async with open_browser() as browser, open_dashboard(settings(folder)) as dashboard:
        context = await browser.new_context(viewport=_size(SCREEN), color_scheme="light", locale="en-GB", timezone_id="UTC")
        page = await _open(context, dashboard.url, story)
        await _answer_on_the_live_page(page, story)
        await _note_a_run(page, story)
        await _rate_with_the_keyboard(page, story)
        await _run_a_timer(page, story)
        await _export(page, story, folder)
        story.told["kept"] = [entry.note for entry in load_journal(str(store), "attic").entries]
        await _check(page, story, "journal")
        await _delete(page, story)
        story.told["left"] = [entry.note for entry in load_journal(str(store), "attic").entries]
        await _in_german(browser, dashboard.url, story)
    async with open_browser() as browser, open_dashboard(settings(folder, record=False)) as dashboard:
        context = await browser.new_context(locale="en-GB")
        page = await _open(context, dashboard.url, story)
        await _go_to_journal(page)
        await page.locator(".journal .trouble").wait_for()
        story.told["without a store"] = await page.locator(".journal .trouble").inner_text()
    return story


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


async def _go_to_journal(page: Page) -> None:
    await page.get_by_role("link", name="Journal", exact=True).click()


async def _until(read: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    async with asyncio.timeout(20.0):
        while (seen := await read()) != wanted:  # noqa: ASYNC110  # the page is seen by looking
            await asyncio.sleep(0.05)
    assert seen == wanted


LOOKS = (("", SCREEN, "light"), (" dark", WIDE, "dark"), (" phone", PHONE, "light"))


async def _check(page: Page, story: Story, name: str, looks: Sequence[tuple[str, tuple[int, int], str]] = LOOKS) -> None:
    """In both themes, on a phone and on a wide screen, unless told otherwise."""
    for which, size, scheme in looks:
        await page.set_viewport_size(_size(size))
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of two words
        story.violations[name + which] = await find_violations(page)
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        story.overflow_px[name + which] = await page.evaluate(script)
        await keep_picture(page, f"journal-{name}{which}".replace(" ", "-"), whole=True)
    await page.set_viewport_size(_size(SCREEN))
    await page.emulate_media(color_scheme="light")


async def _answer_on_the_live_page(page: Page, story: Story) -> None:
    await page.locator(".session").wait_for()
    story.told["loaded before"] = [Path(url).name for url in story.loaded]
    due = page.get_by_role("region", name="Recovery journal")
    await due.wait_for()
    story.told["asked"] = await due.inner_text()
    await page.set_viewport_size(_size(PHONE))
    await due.get_by_role("button", name="Answer").click()
    story.told["a step on a phone"] = await due.locator(".steps label").first.bounding_box()
    await page.set_viewport_size(_size(SCREEN))
    await _check(page, story, "due", LOOKS[1:])
    # STOP works while the question is open, and closes nothing.
    await page.keyboard.press("Escape")
    story.told["stop"] = await page.locator("#stop").get_attribute("data-step")
    await due.get_by_role("button", name="Note it").click()
    await due.get_by_text("Choose a number first").wait_for()
    await due.get_by_role("radio", name="4").check(force=True)
    await due.get_by_role("button", name="Note it").click()
    await due.wait_for(state="hidden")


async def _note_a_run(page: Page, story: Story) -> None:
    await _go_to_journal(page)
    story.told["address"] = page.url.rpartition("/")[2]
    run = page.get_by_role("region", name="A run")
    await run.get_by_label("Before").fill("71,2")
    # The weight before a run is typed before it: it is still there when the page is opened after it.
    await page.reload()
    story.told["draft"] = await run.get_by_label("Before").input_value()
    story.told["without both weights"] = await run.locator("output").inner_text()
    await run.get_by_role("button", name="Note the run").click()
    await run.get_by_text("Give the length in minutes").wait_for()
    story.told["wrong field"] = await page.evaluate("document.activeElement.getAttribute('aria-invalid')")
    await run.get_by_label("After", exact=True).fill("155")
    story.told["mixed units"] = await run.locator("output").inner_text()
    await run.get_by_label("After", exact=True).fill("70.3")
    story.told["drink"] = await run.locator("output").inner_text()
    await run.get_by_label("Length, min").fill("50")
    await run.get_by_label("Distance, km").fill("8,2")
    await run.get_by_role("radio", name="6", exact=True).check(force=True)
    await run.get_by_label("Remark").fill("<b>hills</b>")
    await run.get_by_role("button", name="Note the run").click()
    await run.get_by_text("The run is noted.").wait_for()
    await _until(page.locator(".entry.run").count, 1)
    story.told["run"] = await page.locator(".entry.run").inner_text()


async def _rate_with_the_keyboard(page: Page, story: Story) -> None:
    rating = page.get_by_role("region", name="Soreness", exact=True)
    await rating.get_by_role("radio", name="0: not at all").focus()
    for _ in range(3):
        await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await rating.get_by_text("Noted: 3.").wait_for()
    await _until(page.locator(".entry.soreness").count, 2)
    story.told["chart"] = await page.locator(".trend svg").get_attribute("aria-label")
    story.told["session"] = await page.locator(".entry.session").inner_text()


async def _run_a_timer(page: Page, story: Story) -> None:
    timer = page.get_by_role("region", name="Warm-up", exact=True)
    await page.get_by_label("Length of the warm-up").select_option("6")
    await timer.get_by_role("button", name="Start").click()
    await page.reload()
    await timer.get_by_role("button", name="Pause").wait_for()
    story.told["timer after a reload"] = await timer.get_by_role("timer").inner_text()
    # Six minutes pass, as far as the browser's store knows.
    moved = "const k = 'wavewrap-timers', t = JSON.parse(localStorage[k]); t.warm_up.ends_ms -= 358500; localStorage[k] = JSON.stringify(t)"
    await page.evaluate(moved)
    await page.get_by_role("link", name="Live", exact=True).click()
    over = page.locator(".corner [role=status]", has_text="Warm-up: time is over.")
    await over.wait_for()
    await _go_to_journal(page)
    await _until(page.get_by_role("region", name="A run").get_by_label("Warm-up, min").input_value, "6")


async def _export(page: Page, story: Story, folder: Path) -> None:
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Export as CSV").click()
    download = await coming.value
    story.told["file"] = download.suggested_filename
    await download.save_as(folder / "journal.csv")
    with (folder / "journal.csv").open(encoding="utf-8", newline="") as file:
        story.told["rows"] = [(row["kind"], row["soreness"], row["answers"]) for row in csv.DictReader(file)]


async def _delete(page: Page, story: Story) -> None:
    entry = page.locator(".entry.run")
    await entry.get_by_role("button").click()
    story.told["after one press"] = await page.locator(".entry.run").count()
    await entry.get_by_role("button", name="Press again to delete").click()
    await _until(page.locator(".entry.run").count, 0)
    await page.get_by_role("button", name="Delete the whole journal").click()
    await _check(page, story, "delete all", LOOKS[2:])
    await page.get_by_role("button", name="Cancel").click()
    story.told["after cancel"] = await page.locator(".entry.soreness").count()
    await page.get_by_role("button", name="Delete the whole journal").click()
    await page.get_by_role("button", name="Delete it all").click()
    await _until(page.locator(".entry.soreness").count, 0)


async def _in_german(browser: Browser, url: str, story: Story) -> None:
    context = await browser.new_context(locale="de-DE")
    page = await _open(context, url, story)
    await page.get_by_role("link", name="Tagebuch", exact=True).click()
    await page.locator(".entry.session").wait_for()
    story.told["german"] = await page.locator(".journal").inner_text()
    await context.close()


def test_nothing_keeps_anybody_from_using_it(story: Story) -> None:
    assert len(story.violations) == 6
    assert {name: found for name, found in story.violations.items() if found} == {}
    assert {name: px for name, px in story.overflow_px.items() if px > 0} == {}


def test_it_breaks_no_rule_of_the_page_and_loads_late(story: Story) -> None:
    assert story.complaints == []
    assert all(url.split("/")[2].startswith("127.0.0.1:") for url in story.loaded if not url.startswith("blob:"))
    assert [name for name in story.told["loaded before"] if name.startswith(("notice", "page", "journal"))] == []


def test_a_question_that_is_due_is_asked_quietly_on_the_live_page(story: Story) -> None:
    assert "How sore are your calves?" in story.told["asked"]
    assert "24 hours after the session of" in story.told["asked"]
    assert story.told["stop"] != "idle"
    box = story.told["a step on a phone"]
    assert (box["height"] >= 48, box["width"] >= 44) == (True, True)


def test_a_run_says_at_once_how_much_to_drink(story: Story) -> None:
    assert story.told["draft"] == "71,2"
    assert "591 ml (20 oz)" in story.told["without both weights"]
    assert "591 ml (20 oz)" in story.told["mixed units"]
    assert story.told["drink"].startswith("To drink: about 1.2 l (40 oz)")
    assert story.told["wrong field"] == "true"
    for figure in ("50 min", "8.2 km", "effort 6", "load 300", "71.2 → 70.3 kg", "to drink 1.2 l", "<b>hills</b>"):
        assert figure in story.told["run"]


def test_what_was_answered_is_kept_and_told(story: Story) -> None:
    newest, first = (note for note in story.told["kept"] if isinstance(note, SorenessNote))
    assert (newest.soreness, first.soreness) == (3, 4)
    (run,) = (note for note in story.told["kept"] if isinstance(note, RunNote))
    assert (run.duration_s, run.distance_m, run.effort, run.weight_before_kg, run.weight_after_kg) == (3000.0, 8200.0, 6, 71.2, 70.3)
    assert abs(newest.unix_s - time.clock_gettime(time.CLOCK_REALTIME)) < 300.0
    assert story.told["chart"] == "Soreness from 0 to 10 over the last 30 days: 2 ratings, the last one 3."
    assert "24 h 4" in story.told["session"]


def test_a_timer_goes_on_over_a_reload_and_its_end_is_announced_on_any_page(story: Story) -> None:
    minutes, _, seconds = story.told["timer after a reload"].partition(":")
    assert 300 < int(minutes) * 60 + int(seconds) <= 360


def test_the_file_and_the_way_out(story: Story) -> None:
    assert story.told["file"] == "journal.csv"
    assert sorted(row[:2] for row in story.told["rows"]) == [("run", ""), ("soreness", "3"), ("soreness", "4")]
    assert any("24_h of " in row[2] for row in story.told["rows"])
    assert (story.told["after one press"], story.told["after cancel"], story.told["left"]) == (1, 2, [])


def test_it_speaks_german_and_says_when_it_cannot_be(story: Story) -> None:
    for words in ("Erholungs-Tagebuch", "Muskelkater", "Lauf notieren", "Aufwärmen"):
        assert words in story.told["german"]
    assert "record = false" in story.told["without a store"]

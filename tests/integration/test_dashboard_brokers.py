"""One page over two gateways on a broker each, in a real browser: one broker goes, STOP says whom it did not reach, and all is live again.

Both gateways are called the same and speak under the same topic: only their brokers tell them apart.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page
from tests.support.asking import Asker
from tests.support.brokers import needs_mosquitto
from tests.support.browser import find_violations, needs_browser, open_browser
from tests.support.daemon_rig import DaemonRig, open_daemon_rig, write_known_wraps
from tests.support.processes import start
from tests.support.session_programs import CHAMBERS

pytestmark = [pytest.mark.realtime, needs_mosquitto, *needs_browser]

PATIENCE_S = 40.0
HIGH_MMHG = 35.0
# Longer than the test: the session of the gateway that cannot be reached has to run on.
CONFIG = "[mqtt]\npatience_s = 300"


@dataclass
class Story:
    """What was seen."""

    violations: dict[str, list[str]] = field(default_factory=dict)
    overflow_px: dict[str, int] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)


@dataclass
class Stage:
    """The page, its two gateways as it shows them, and what they are in truth."""

    page: Page
    near: Locator
    far: Locator
    near_rig: DaemonRig
    far_rig: DaemonRig

    async def step(self) -> str | None:
        return await self.page.locator("#stop").get_attribute("data-step")

    async def detail(self) -> str:
        return await self.page.locator("#stop-detail").inner_text()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return asyncio.run(_tell(tmp_path_factory.mktemp("brokers")))


async def _tell(folder: Path) -> Story:
    story = Story()
    async with AsyncExitStack() as stack:
        near_rig, far_rig = [await stack.enter_async_context(_rig(folder / name)) for name in ("near", "far")]
        browser = await stack.enter_async_context(open_browser())
        arguments = ("dashboard", "--broker", near_rig.broker.url, "--broker", far_rig.broker.url, "--port", 0, "--json")
        server = await stack.enter_async_context(start(folder / "page", "wavewrap_gateway", *arguments))
        await server.wait_for(lambda: "url" in server.stdout, "its link")
        context = await browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", locale="en-US")
        context.set_default_timeout(PATIENCE_S * 1000)
        page = await context.new_page()
        await page.goto(json.loads(server.stdout)["url"])
        near, far = (page.locator(f"[data-gateway='{index}']") for index in (0, 1))
        stage = Stage(page, near, far, near_rig, far_rig)
        story.told["places"] = [f"127.0.0.1:{rig.broker.port}" for rig in (near_rig, far_rig)]
        await _begin(stage, story)
        await _lose_one_and_stop(stage, story)
        await _come_back(stage, story)
        await _look_while_one_is_away(stage, story)
    return story


def _rig(folder: Path) -> Any:
    folder.mkdir()

    def know_one(home: Path, _broker: object) -> None:
        radio = json.loads((home / "wavewrap" / "wraps.json").read_text(encoding="utf-8"))["wraps"][0]["radio"]
        write_known_wraps(home, radio, wraps=1)

    return open_daemon_rig(folder, config=CONFIG, simulator_arguments=("--wraps", 1), before=know_one)


async def _until(read: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while (seen := await read()) != wanted:
        assert time.monotonic() < deadline_s, f"wanted {wanted!r}, saw {seen!r}"
        await asyncio.sleep(0.05)


async def _begin(stage: Stage, story: Story) -> None:
    for gateway, rig in ((stage.near, stage.near_rig), (stage.far, stage.far_rig)):
        await _until(gateway.locator(".wrap:not(.stale)").count, 1)
        with Asker(rig.broker.port) as asker:
            await asyncio.to_thread(asker.do, "start", program="long-hold")
    story.told["titles"] = await stage.page.locator(".gateway-title").all_inner_texts()
    story.told["chip"] = await stage.page.locator(".chip").inner_text()
    await stage.page.evaluate("window.isSamePage = true")
    for gateway in (stage.near, stage.far):
        await _until(lambda gateway=gateway: _is_high(gateway), True)  # type: ignore[misc]  # mypy cannot see what the default is


async def _is_high(gateway: Locator) -> bool:
    texts = await gateway.locator(".values strong").all_inner_texts()
    return max((float(text) for text in texts if text != "–"), default=0.0) > HIGH_MMHG


async def _lose_one_and_stop(stage: Stage, story: Story) -> None:
    stage.far_rig.broker.kill()
    alarm = stage.page.locator(".alarm[data-alarm=g1-broker]")
    await alarm.wait_for()
    await _until(stage.far.locator(".wrap.stale").count, 1)
    story.told["alarm"] = await alarm.inner_text()
    story.told["alarms"] = await stage.page.locator(".alarm").count()
    story.told["live without it"] = await stage.near.locator(".wrap:not(.stale)").count()
    story.told["chip without it"] = await stage.page.locator(".chip").inner_text()
    story.told["head without it"] = [await gateway.locator(".gateway-head").inner_text() for gateway in (stage.near, stage.far)]
    await stage.page.locator("#stop").click()
    words: list[str] = []
    deadline_s = time.monotonic() + PATIENCE_S
    while "measured vented" not in (detail := await stage.detail()):
        words.append(await stage.page.locator("#stop .word").inner_text())
        assert time.monotonic() < deadline_s, detail
        await asyncio.sleep(0.03)
    story.told["words of stop"] = {*words, await stage.page.locator("#stop .word").inner_text()}
    story.told["step"] = await stage.step()
    story.told["detail"] = detail
    causes = [[cause for _, _, cause in log.states] for log in stage.near_rig.simulator.read_log().values()]
    story.told["near stopped"] = all("stop" in one for one in causes)
    story.told["far still under pressure"] = stage.far_rig.simulator.holds(CHAMBERS[:1], HIGH_MMHG)


async def _come_back(stage: Stage, story: Story) -> None:
    stage.far_rig.broker.start()
    await _until(stage.far.locator(".wrap:not(.stale)").count, 1)
    await _until(stage.page.locator(".alarm").count, 0)
    await _until(lambda: _is_high(stage.far), True)
    story.told["step when back"] = await stage.step()
    await stage.page.locator("#stop").click()
    await _until(stage.step, "vented")
    causes = [[cause for _, _, cause in log.states] for log in stage.far_rig.simulator.read_log().values()]
    story.told["far stopped"] = all("stop" in one for one in causes)
    await _until(stage.step, "idle")


async def _look_while_one_is_away(stage: Stage, story: Story) -> None:
    """At rest; and what a STOP did not reach is said for as long as it is not known to be vented."""
    page = stage.page
    stage.far_rig.broker.kill()
    await page.locator(".alarm[data-alarm=g1-broker]").wait_for()
    await page.locator("#stop").click()
    await _until(stage.step, "partly")
    await _check(page, story, "light")
    await page.emulate_media(color_scheme="dark")
    await _check(page, story, "dark")
    await page.set_viewport_size({"width": 390, "height": 844})
    await _check(page, story, "phone")
    await _until(lambda: _says(stage, "measured vented"), False)
    story.told["later"] = await stage.detail()
    new = await page.context.new_page()
    await new.goto(page.url)
    await new.locator("[data-gateway='0'] .wrap:not(.stale)").wait_for()
    story.told["new page"] = await new.locator("[data-gateway='1']").inner_text()
    await new.close()
    stage.far_rig.broker.start()
    await _until(stage.step, "idle")
    story.told["detail at last"] = await stage.detail()
    story.told["alarms at last"] = await page.locator(".alarm").count()
    # The cards are drawn with the next frame, the word of STOP at once.
    await _until(page.locator(".wrap:not(.stale)").count, 2)
    story.told["same page"] = await page.evaluate("window.isSamePage === true")


async def _says(stage: Stage, words: str) -> bool:
    return words in await stage.detail()


async def _check(page: Page, story: Story, name: str) -> None:
    story.violations[name] = await find_violations(page)
    story.overflow_px[name] = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_nothing_keeps_anybody_from_using_it_and_nothing_scrolls_sideways(story: Story) -> None:
    assert len(story.violations) == 3
    assert {name: found for name, found in story.violations.items() if found} == {}
    assert {name: px for name, px in story.overflow_px.items() if px > 0} == {}


def test_gateways_of_the_same_name_and_topic_are_told_apart_by_their_brokers(story: Story) -> None:
    assert story.told["titles"] == [f"attic (wavewrap @ {place})" for place in story.told["places"]]
    assert story.told["chip"] == "Live"


def test_a_broker_that_is_away_takes_only_its_own_gateway_along(story: Story) -> None:
    _, far = story.told["titles"]
    assert story.told["alarm"].startswith(f"{far}: The MQTT broker is not there")
    assert f"until {story.told['places'][1]} is back" in story.told["alarm"]
    assert (story.told["alarms"], story.told["live without it"], story.told["chip without it"]) == (1, 1, "Live: 1 of 2")
    assert ["The MQTT broker is not there" in head for head in story.told["head without it"]] == [False, True]


def test_stop_stops_who_is_there_and_says_whom_it_did_not_reach(story: Story) -> None:
    near, far = story.told["titles"]
    assert story.told["near stopped"] is True
    assert story.told["far still under pressure"] is True
    assert story.told["step"] == "partly"
    assert story.told["detail"].startswith(f"STOP did not reach {far}. Take the wraps there off")
    assert story.told["detail"].endswith(f"{near}: every chamber is measured vented.")
    assert "Vented" not in story.told["words of stop"]


def test_what_was_not_reached_stays_said_until_it_is_reached_or_vented(story: Story) -> None:
    assert story.told["step when back"] == "partly"
    assert story.told["far stopped"] is True
    assert story.told["later"].startswith("STOP did not reach")
    assert story.told["detail at last"] == ""


def test_the_broker_comes_back_without_a_reload(story: Story) -> None:
    assert (story.told["alarms at last"], story.told["same page"]) == (0, True)


def test_a_page_that_is_opened_meanwhile_claims_nothing_of_the_gateway_that_is_away(story: Story) -> None:
    assert f"wavewrap @ {story.told['places'][1]}" in story.told["new page"]
    assert "The MQTT broker is not there" in story.told["new page"]
    assert "One may be running" in story.told["new page"]
    assert not any(claim in story.told["new page"] for claim in ("No wrap yet", "No session", "at rest"))

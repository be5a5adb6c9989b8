"""The page in a real browser, on the real thing: simulator, mosquitto, daemon, dashboard. One story, told once, then looked at."""

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page
from tests.support.brokers import Collector, find_free_port, needs_mosquitto
from tests.support.browser import find_violations, keep_picture, needs_browser, open_browser
from tests.support.daemon_rig import DaemonRig, open_daemon_rig
from tests.support.processes import start

from wavewrap_protocol.limits import VENTED_MMHG

pytestmark = [pytest.mark.realtime, needs_mosquitto, *needs_browser]

PATIENCE_S = 30.0
PHONE = (390, 844)
SCREEN = (1280, 900)


@dataclass
class Story:
    """What was seen."""

    violations: dict[str, list[str]] = field(default_factory=dict)
    overflow_px: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    told: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return asyncio.run(_tell(tmp_path_factory.mktemp("dashboard")))


async def _tell(folder: Path) -> Story:
    story = Story()
    async with open_daemon_rig(folder) as rig, open_browser() as browser, Collector(rig.broker.port) as heard:
        port = find_free_port()
        arguments = ("dashboard", "--broker", rig.broker.url, "--port", port, "--json")
        async with start(folder / "page", "wavewrap_gateway", *arguments) as first:
            await first.wait_for(lambda: "url" in first.stdout, "its link")
            url = json.loads(first.stdout)["url"]
            context = await browser.new_context(viewport={"width": SCREEN[0], "height": SCREEN[1]}, color_scheme="light", locale="en-US")
            page = await _open(context, url, story)
            await _until(lambda: page.locator(".wrap:not(.stale)").count(), 2)
            await _look_at_rest(page, story)
            await _refuse_without_answers(page, story)
            await _start_through_the_page(page, story)
            await _second_tab(context, url, story)
            await _foreign_page(browser, url, story, heard)
            await _stop(page, story, rig, heard)
            first.send(signal.SIGKILL)
            await _lose_the_server(page, story)
        async with start(folder / "page", "wavewrap_gateway", *arguments) as second:
            await second.wait_for(lambda: "url" in second.stdout, "its link")
            story.told["same link"] = json.loads(second.stdout)["url"] == url
            await _until(lambda: page.locator(".wrap:not(.stale)").count(), 2)
            story.told["alarms when back"] = await page.locator(".alarm").count()
            await _lose_the_broker(page, story, rig)
            second.send(signal.SIGTERM)
            story.told["exit code"] = (await second.ended()).code
    return story


async def _open(context: BrowserContext, url: str, story: Story) -> Page:
    page = await context.new_page()
    page.on("pageerror", lambda error: story.complaints.append(str(error)))
    page.on("console", lambda told: story.complaints.append(told.text) if "Content Security" in told.text else None)
    page.on("request", lambda request: story.hosts.add(request.url.split("/")[2]))
    await page.goto(url)
    return page


async def _until(read: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while (seen := await read()) != wanted:
        assert time.monotonic() < deadline_s, f"wanted {wanted!r}, saw {seen!r}"
        await asyncio.sleep(0.05)


async def _check(page: Page, story: Story, name: str) -> None:
    story.violations[name] = await find_violations(page)
    story.overflow_px[name] = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


async def _look_at_rest(page: Page, story: Story) -> None:
    story.told["address"] = page.url
    await _check(page, story, "at rest, light")
    await page.emulate_media(color_scheme="dark")
    await _check(page, story, "at rest, dark")
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    await _check(page, story, "at rest, phone")
    story.told["stop on a phone"] = await page.locator("#stop").bounding_box()
    await page.set_viewport_size({"width": SCREEN[0], "height": SCREEN[1]})
    await page.emulate_media(color_scheme="light")


async def _refuse_without_answers(page: Page, story: Story) -> None:
    await page.get_by_role("button", name="Start a session").click()
    following = page.get_by_role("button", name="Next")
    story.told["next without answers"] = await following.is_enabled()
    await _check(page, story, "check")
    await page.get_by_label("I have read this").check()
    for group in ("Sharp pain?", "Bruising?", "Could you not go on running?"):
        await page.get_by_role("group", name=group).get_by_label("No").check()
    story.told["next with one answer missing"] = await following.is_enabled()
    await page.get_by_role("group", name="Swelling?").get_by_label("Yes").check()
    await following.click()
    story.told["after a yes"] = await page.locator("dialog[open]").inner_text()
    await _check(page, story, "no session")
    await page.get_by_role("button", name="Close").click()


async def _start_through_the_page(page: Page, story: Story) -> None:
    await page.get_by_role("button", name="Start a session").click()
    await page.get_by_label("I have read this").check()
    for group in ("Sharp pain?", "Swelling?", "Bruising?", "Could you not go on running?"):
        await page.get_by_role("group", name=group).get_by_label("No").check()
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("For tests").last.wait_for()
    story.told["programs"] = await page.locator(".option").count()
    await _check(page, story, "choice")
    await keep_picture(page, "start-form")
    await page.locator(".option", has=page.locator("input[value=long-hold]")).click()
    # Escape is STOP in an open dialog too, and closes nothing.
    await page.keyboard.press("Escape")
    story.told["escape in a dialog"] = await page.locator("#stop").get_attribute("data-step")
    await _until(lambda: page.locator("#stop").get_attribute("data-step"), "vented")
    await page.get_by_role("button", name="Start now").click()
    await page.get_by_text("Acknowledged: the wraps are armed").wait_for()
    await page.get_by_text("Measured: the wrap pressure rises").wait_for()
    await _until(lambda: page.locator("dialog[open]").count(), 0)
    await _until(lambda: page.locator(".session").get_attribute("data-state"), "running")
    await _until(lambda: _highest(page), True)
    story.told["progress"] = await page.locator(".session").inner_text()
    story.told["calf"] = await page.locator(".wrap .calf").first.get_attribute("aria-label")
    await _check(page, story, "running")
    await keep_picture(page, "live-light")
    await page.emulate_media(color_scheme="dark")
    await keep_picture(page, "live-dark")
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    await keep_picture(page, "live-phone")
    await page.set_viewport_size({"width": SCREEN[0], "height": SCREEN[1]})
    await page.emulate_media(color_scheme="light")


async def _highest(page: Page) -> bool:
    """Whether a chamber of each wrap is near the program's pressure, as the page writes it."""
    texts = await page.locator(".wrap").evaluate_all(
        "cards => cards.map(c => [...c.querySelectorAll('.values strong')].map(v => +v.textContent))"
    )
    return len(texts) == 2 and all(max(numbers) > 35 for numbers in texts)


async def _second_tab(context: BrowserContext, url: str, story: Story) -> None:
    other = await _open(context, url, story)
    await _until(lambda: other.locator(".wrap:not(.stale)").count(), 2)
    await _until(lambda: _highest(other), True)
    # What the new tab was given of the past, before it could have heard it itself.
    story.told["gaps in a new tab"] = await other.locator("[data-fact=gaps]").first.inner_text()
    await other.close()


async def _foreign_page(browser: Any, url: str, story: Story, heard: Collector) -> None:
    """Somebody else's page, in the same browser with the same cookies, tries to start a session."""
    address = url.split("/")[2]
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(url)
    evil = await context.new_page()

    async def serve(route: Any) -> None:
        await route.fulfill(body="<h1>hello</h1>", content_type="text/html")

    await evil.route("http://127.0.0.1:9/*", serve)
    await evil.goto("http://127.0.0.1:9/")
    script = """address => new Promise(done => {
        const socket = new WebSocket(`ws://${address}/socket`);
        socket.onopen = () => { socket.send(JSON.stringify({ id: 1, command: "boost", body: { mmhg: 20 } })); done("open"); };
        socket.onclose = () => done("refused");
    })"""
    story.told["foreign page"] = await evil.evaluate(script, address)
    story.told["foreign boost"] = len(heard.bodies("wavewrap/bridge/request/boost"))
    await context.close()


async def _stop(page: Page, story: Story, rig: DaemonRig, heard: Collector) -> None:
    before = len(heard.bodies("wavewrap/bridge/request/stop"))
    await page.locator("#stop").click()
    steps: list[str] = []
    deadline_s = time.monotonic() + PATIENCE_S
    while not steps or steps[-1] != "vented":
        step = str(await page.locator("#stop").get_attribute("data-step"))
        if not steps or steps[-1] != step:
            steps.append(step)
        assert time.monotonic() < deadline_s, steps
        await asyncio.sleep(0.03)
    story.told["steps of stop"] = steps
    story.told["stop requests"] = len(heard.bodies("wavewrap/bridge/request/stop")) - before
    truth = rig.simulator.read_log()
    story.told["true pressures when vented"] = max(max(one.pressures[-1][1]) for one in truth.values())
    await _check(page, story, "vented")


async def _lose_the_server(page: Page, story: Story) -> None:
    began_s = time.monotonic()
    await page.locator(".alarm[data-alarm=server]").wait_for(timeout=PATIENCE_S * 1000)
    story.told["server missed after s"] = time.monotonic() - began_s
    await _until(lambda: page.locator(".wrap.stale").count(), 2)
    await page.locator("#stop").click()
    await _until(lambda: page.locator("#stop").get_attribute("data-step"), "failed")
    story.told["stop without a server"] = await page.locator("#stop-detail").inner_text()
    await _check(page, story, "alone")


async def _lose_the_broker(page: Page, story: Story, rig: DaemonRig) -> None:
    rig.broker.kill()
    await page.locator(".alarm[data-alarm=broker]").wait_for(timeout=PATIENCE_S * 1000)
    await _until(lambda: page.locator(".wrap.stale").count(), 2)
    rig.broker.start()
    await _until(lambda: page.locator(".wrap:not(.stale)").count(), 2)
    story.told["alarms with the broker back"] = await page.locator(".alarm").count()


def test_nothing_keeps_anybody_from_using_it(story: Story) -> None:
    assert len(story.violations) == 9
    assert {name: found for name, found in story.violations.items() if found} == {}


def test_nothing_scrolls_sideways(story: Story) -> None:
    assert {name: px for name, px in story.overflow_px.items() if px > 0} == {}


def test_the_page_asks_no_foreign_host_and_breaks_no_rule_of_its_own(story: Story) -> None:
    assert story.complaints == []
    assert all(host.startswith("127.0.0.1:") for host in story.hosts), story.hosts
    assert "enter" not in story.told["address"]  # the token does not stay in the address


def test_stop_is_large_and_in_reach_of_a_thumb(story: Story) -> None:
    box = story.told["stop on a phone"]
    assert box["height"] >= 60
    assert box["width"] >= 0.8 * PHONE[0]
    assert box["y"] + box["height"] <= PHONE[1]


def test_no_answer_no_start_and_a_yes_means_a_doctor(story: Story) -> None:
    assert story.told["next without answers"] is False
    assert story.told["next with one answer missing"] is False
    assert "See a doctor" in story.told["after a yes"]
    assert "Grade II" in story.told["after a yes"]


def test_a_session_started_on_the_page_is_seen_on_the_page(story: Story) -> None:
    assert story.told["programs"] >= 6
    assert "Running" in story.told["progress"]
    assert "Cycle 1 of" in story.told["progress"]
    assert "Chamber 1: " in story.told["calf"]


def test_a_new_tab_has_the_past_without_gaps(story: Story) -> None:
    assert story.told["gaps in a new tab"] == "none"


def test_a_foreign_page_can_do_nothing(story: Story) -> None:
    assert story.told["foreign page"] == "refused"
    assert story.told["foreign boost"] == 0


def test_stop_is_vented_only_when_the_pressures_say_so(story: Story) -> None:
    assert story.told["escape in a dialog"] in {"asked", "acknowledged"}
    assert story.told["steps of stop"][-2:] == ["acknowledged", "vented"]
    assert story.told["stop requests"] == 1
    # The simulator's truth; half a second of noise and of samples on their way.
    assert story.told["true pressures when vented"] < VENTED_MMHG + 1.0


def test_a_server_that_is_gone_is_missed_and_comes_back_without_a_reload(story: Story) -> None:
    assert story.told["server missed after s"] < 5.0  # measured under 1 s; a loaded machine is given more
    assert "Take the wraps off" in story.told["stop without a server"]
    assert story.told["same link"] is True
    assert story.told["alarms when back"] == 0


def test_the_broker_is_missed_and_comes_back_without_a_reload(story: Story) -> None:
    assert story.told["alarms with the broker back"] == 0
    assert story.told["exit code"] == 128 + signal.SIGTERM

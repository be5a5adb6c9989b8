"""The page behind its login, with two gateways on it, in a real browser: everything that can be asked of them, and what truly came of it.

One gateway has two wraps that serve everybody, the other one a wrap that is not paired yet and whose hose is off.
"""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, TimeoutError
from pydantic import SecretStr
from tests.support.brokers import find_free_port, needs_mosquitto
from tests.support.browser import find_violations, needs_browser, open_browser
from tests.support.certificates import Authority
from tests.support.daemon_rig import ALL_COMMANDS, DaemonRig, open_daemon_rig
from tests.support.processes import Simulator, run_simulator, start
from tests.support.session_programs import write_short_program

from wavewrap_gateway.adapters.broker_users import set_user

pytestmark = [pytest.mark.realtime, needs_mosquitto, *needs_browser]

PATIENCE_S = 40.0
PASSWORD = "a-long-password"


@dataclass
class Story:
    """What was seen."""

    violations: dict[str, list[str]] = field(default_factory=dict)
    overflow_px: dict[str, int] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return asyncio.run(_tell(tmp_path_factory.mktemp("steering")))


async def _tell(folder: Path) -> Story:
    story = Story()
    async with (
        open_daemon_rig(folder) as rig,
        _gym(folder / "gym", rig) as gym,
        _served(folder / "page", rig) as url,
        open_browser() as browser,
    ):
        page = await _log_in(browser, url, story)
        attic, other = (page.locator(f"[data-gateway='{index}']") for index in (0, 1))
        await _until(lambda: attic.locator(".wrap:not(.stale)").count(), 2)
        await _pair(page, other, gym, story)
        await _check(page, story, "two gateways")
        await _light_and_rename(page, attic, rig, story)
        await _start(page, attic, "long-hold", story, "attic")
        await _start(page, other, "short", story, "gym")
        await _boost(attic, story)
        await _fault(page, story)
        await _pause_and_resume(attic, story)
        await _stop_by_chord(page, rig, story)
        await _forget(page, attic)
        await _german(page, story)
        await _log_out(page, story)
    return story


@asynccontextmanager
async def _gym(folder: Path, rig: DaemonRig) -> AsyncIterator[Simulator]:
    """Another daemon on the same broker, under a topic of its own."""
    folder.mkdir()  # noqa: ASYNC240  # nothing else runs in this loop yet
    faults = folder / "hose-off.toml"
    faults.write_text('[[fault]]\nkind = "hose_off"\nat_s = 0.0\nchamber = 1\n', encoding="utf-8")
    arguments = ("--wraps", 1, "--seed", 2, "--security", "passkey", "--faults", faults)
    async with run_simulator(folder / "sim", *arguments) as simulator:
        home = folder / "home"
        write_short_program(home / "wavewrap" / "programs")
        allow = json.dumps(list(ALL_COMMANDS))
        text = f'gateway = "gym"\nradio = "{simulator.radio}"\n[mqtt]\nbase_topic = "gym"\n[commands]\nallow = {allow}\n'
        home.joinpath("wavewrap", "config.toml").write_text(text, encoding="utf-8")
        async with start(home, "wavewrap_gateway", "gateway", "--broker", rig.broker.url) as daemon:
            await daemon.wait_for_line("ready")
            yield simulator


@asynccontextmanager
async def _served(folder: Path, rig: DaemonRig) -> AsyncIterator[str]:
    folder.mkdir()  # noqa: ASYNC240  # nothing else runs in this loop yet
    cert_file, key_file = Authority(folder).issue("localhost", "127.0.0.1")
    set_user(folder / "users", "anna", SecretStr(PASSWORD))
    config = folder / "page.toml"
    config.write_text(
        f'[dashboard]\nport = {find_free_port()}\ncert_file = "{cert_file}"\nkey_file = "{key_file}"\nusers_file = "{folder}/users"\n'
        'base_topics = ["wavewrap", "gym"]\n',
        encoding="utf-8",
    )
    arguments = ("dashboard", "--broker", rig.broker.url, "--config", config, "--json")
    async with start(folder / "home", "wavewrap_gateway", *arguments) as server:
        await server.wait_for(lambda: "url" in server.stdout, "its link")
        yield str(json.loads(server.stdout)["url"])


async def _until(read: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while (seen := await read()) != wanted:
        assert time.monotonic() < deadline_s, f"wanted {wanted!r}, saw {seen!r}"
        await asyncio.sleep(0.05)


async def _check(page: Page, story: Story, name: str) -> None:
    story.violations[name] = await find_violations(page)
    story.overflow_px[name] = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


async def _log_in(browser: Browser, url: str, story: Story) -> Page:
    context = await browser.new_context(ignore_https_errors=True, locale="en-US", viewport={"width": 390, "height": 844})
    context.set_default_timeout(PATIENCE_S * 1000)
    page = await context.new_page()
    await page.goto(url)
    story.told["before the login"] = page.url.removeprefix(url)
    await _check(page, story, "login")
    await page.get_by_label("Name").fill("anna")
    await page.get_by_label("Password").fill("wrong-password")
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_text("Name or password is wrong.").wait_for()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.locator("#stop").wait_for()
    await page.locator("[data-gateway='1']").wait_for()
    await _check(page, story, "two gateways on a phone")
    await page.set_viewport_size({"width": 1280, "height": 900})
    return page


async def _pair(page: Page, gym: Locator, simulator: Simulator, story: Story) -> None:
    await gym.get_by_role("button", name="Wraps").click()
    simulator.running.send(signal.SIGUSR1)
    await simulator.running.wait_for(lambda: '"window_open"' in simulator.running.stdout, "passkey")
    shown = [json.loads(line) for line in simulator.running.stdout.splitlines()[1:]]
    await page.get_by_role("button", name="Look for it").click()
    await page.get_by_label("The six digits that the wrap shows").fill(next(one["passkey"] for one in shown if one.get("passkey")))
    await _check(page, story, "passkey")
    await page.get_by_role("button", name="Pair", exact=True).click()
    await _until(lambda: gym.locator(".wrap:not(.stale)").count(), 1)
    await page.get_by_role("button", name="Close").click()
    story.told["card of the gym"] = await gym.locator(".wrap h2").inner_text()
    story.told["titles"] = await page.locator(".gateway-title").all_inner_texts()


async def _light_and_rename(page: Page, attic: Locator, rig: DaemonRig, story: Story) -> None:
    await attic.get_by_role("button", name="Wraps").click()
    await page.get_by_role("button", name="Show the light of left-leg").click()
    await rig.simulator.running.wait_for(lambda: "light_s" in rig.simulator.running.stdout, "light")
    story.told["light"] = [json.loads(line) for line in rig.simulator.running.stdout.splitlines() if "light_s" in line]
    await page.get_by_label("New name of left-leg").fill("shin")
    await page.locator("li", has=page.get_by_label("New name of left-leg")).get_by_role("button", name="Rename").click()
    await attic.locator("[data-wrap=shin]:not(.stale)").wait_for()
    story.told["after the renaming"] = await attic.locator("[data-wrap]").evaluate_all("cards => cards.map(c => c.dataset.wrap)")
    await page.get_by_role("button", name="Close").click()


async def _start(page: Page, gateway: Locator, program: str, story: Story, name: str) -> None:
    await gateway.get_by_role("button", name="Start a session").click()
    dialog = page.locator("dialog[open]")
    if await dialog.get_by_label("I have read this").count() > 0:
        await dialog.get_by_label("I have read this").check()
    for group in ("Sharp pain?", "Swelling?", "Bruising?", "Could you not go on running?"):
        await dialog.get_by_role("group", name=group).get_by_label("No").check()
    await dialog.get_by_role("button", name="Next").click()
    await dialog.locator(".option", has=page.locator(f"input[value={program}]")).click()
    story.told[f"curve at {name}"] = await dialog.locator("svg.preview").first.get_attribute("aria-label")
    story.told[f"limits at {name}"] = await dialog.locator(".limits").inner_text()
    if name == "attic":
        await _check(page, story, "curve")
    await dialog.get_by_role("button", name="Start now").click()
    await dialog.get_by_text("Acknowledged: the wraps are armed").wait_for()
    await dialog.get_by_role("button", name="Close").click()


async def _highest(gateway: Locator) -> float:
    texts = await gateway.locator(".values strong").all_inner_texts()
    return max((float(text) for text in texts if text != "–"), default=0.0)


async def _boost(attic: Locator, story: Story) -> None:
    await attic.locator(".session[data-state=running]").wait_for()
    await _until(lambda: _is_high(attic), True)
    # Less comes at once, more with the next inflation.
    await attic.get_by_role("button", name="5 mmHg less").click()
    await attic.locator(".told", has_text="Acknowledged").wait_for()
    await attic.get_by_text("target 35", exact=True).first.wait_for()
    story.told["timing while it runs"] = await attic.locator("[data-fact=timing]").first.inner_text()
    story.told["signal"] = await attic.locator("[data-fact=signal]").first.inner_text()


async def _fault(page: Page, story: Story) -> None:
    alarm = page.locator(".alarm.critical", has_text="Air went in and no pressure came up")
    await alarm.wait_for()
    story.told["alarm"] = await alarm.inner_text()
    button = alarm.get_by_role("button", name="I have seen to it")
    # A wrap that has not vented yet refuses; a person presses again. It may go while it is being pressed.
    deadline_s = time.monotonic() + PATIENCE_S
    while await alarm.count() > 0:
        assert time.monotonic() < deadline_s, await alarm.inner_text()
        with suppress(TimeoutError):
            await button.click(timeout=1000.0)
        await asyncio.sleep(0.5)


async def _pause_and_resume(attic: Locator, story: Story) -> None:
    await attic.get_by_role("button", name="Pause").click()
    await attic.locator(".session[data-state=paused]").wait_for()
    await _until(lambda: _is_low(attic), True)
    await attic.get_by_role("button", name="Resume").click()
    await attic.locator(".session[data-state=running]").wait_for()
    story.told["resumed"] = await attic.locator(".session .state").inner_text()


async def _is_high(gateway: Locator) -> bool:
    return await _highest(gateway) > 35.0


async def _is_low(gateway: Locator) -> bool:
    return await _highest(gateway) < 5.0


async def _stop_by_chord(page: Page, rig: DaemonRig, story: Story) -> None:
    await page.keyboard.press("Control+Shift+E")
    await _until(lambda: page.locator("#stop").get_attribute("data-step"), "vented")
    story.told["last states"] = {state for log in rig.simulator.read_log().values() for _, state, cause in log.states if cause == "stop"}
    await _until(lambda: page.locator(".session[data-state=running]").count(), 0)


async def _forget(page: Page, attic: Locator) -> None:
    await attic.get_by_role("button", name="Wraps").click()
    row = page.locator("li", has=page.get_by_label("New name of right-leg"))
    await row.get_by_role("button", name="Forget", exact=True).click()
    await row.get_by_role("button", name="Press again to forget right-leg").click()
    await _until(lambda: attic.locator("[data-wrap]").count(), 1)
    await page.get_by_role("button", name="Close").click()


async def _german(page: Page, story: Story) -> None:
    await page.get_by_role("button", name="Deutsch").click()
    await page.locator("html[lang=de]").wait_for()
    await page.locator("[data-gateway='0'] .wrap").wait_for()
    story.told["German"] = await page.locator("[data-gateway='0']").inner_text()
    await _check(page, story, "German")


async def _log_out(page: Page, story: Story) -> None:
    await page.get_by_role("button", name="Abmelden").click()
    await page.get_by_label("Passwort").wait_for()
    await page.go_back()
    await page.get_by_label("Passwort").wait_for()
    story.told["after the logout"] = page.url.rpartition("/")[2]


def test_nothing_keeps_anybody_from_using_it_and_nothing_scrolls_sideways(story: Story) -> None:
    assert len(story.violations) == 6
    assert {name: found for name, found in story.violations.items() if found} == {}
    assert {name: px for name, px in story.overflow_px.items() if px > 0} == {}


def test_only_the_login_is_open_before_it_and_after_the_logout(story: Story) -> None:
    assert story.told["before the login"] == "login"
    assert story.told["after the logout"] == "login"


def test_each_gateway_stands_under_its_name_and_a_wrap_says_whose_it_is(story: Story) -> None:
    assert story.told["titles"] == ["attic", "gym"]
    assert "on gym" in story.told["card of the gym"]


def test_a_wrap_shows_its_light_and_is_called_something_else(story: Story) -> None:
    assert story.told["light"] == [{"wrap": "SIM001-01", "light_s": 15}]
    assert story.told["after the renaming"] == ["shin", "right-leg"]


def test_the_curve_and_its_limits_are_shown_before_the_start(story: Story) -> None:
    assert "Highest by chamber, from the ankle: 40, 0, 40, 0 mmHg." in story.told["curve at attic"]
    assert "No step asks for more than 80 mmHg" in story.told["limits at attic"]


def test_a_running_session_shows_its_timing_and_the_signal(story: Story) -> None:
    assert story.told["timing while it runs"].startswith("p99 ")
    assert story.told["signal"].endswith(" dBm")


def test_a_fault_is_told_with_its_gateway_and_goes_once_it_is_seen_to(story: Story) -> None:
    assert story.told["alarm"].startswith("gym: ")
    assert "every hose is on" in story.told["alarm"]


def test_it_pauses_resumes_and_stops_by_the_chord_from_anywhere(story: Story) -> None:
    assert story.told["resumed"] == "Running"
    assert story.told["last states"] == {"venting"}


def test_it_speaks_german(story: Story) -> None:
    assert "Sitzung" in story.told["German"]
    assert "Session" not in story.told["German"]

"""A slow page loses samples, oldest first and counted; never a state, never an answer."""

import asyncio

from wavewrap_dashboard.hub import SAMPLES_MAX, STATES_MAX, Hub


def test_a_page_that_does_not_read_keeps_the_newest_samples_and_every_state() -> None:
    async def work() -> list[str]:
        hub = Hub()
        page = hub.add()
        for number in range(3 * SAMPLES_MAX):
            hub.send_samples({"n": number})
            if number % 10 == 0:
                hub.send_state({"state": number})
        assert page.dropped == 2 * SAMPLES_MAX
        waiting = SAMPLES_MAX + 3 * SAMPLES_MAX // 10
        return [str(await page.take()) for _ in range(waiting)]

    taken = asyncio.run(work())
    states = [text for text in taken if "state" in text]
    assert states == [f'{{"state":{number}}}' for number in range(0, 3 * SAMPLES_MAX, 10)]
    assert taken[: len(states)] == states  # what matters goes first
    assert taken[-1] == f'{{"n":{3 * SAMPLES_MAX - 1}}}'


def test_a_page_that_is_hopelessly_behind_is_closed_and_others_are_not() -> None:
    async def work() -> None:
        hub = Hub()
        slow, quick = hub.add(), hub.add()
        for number in range(STATES_MAX + 1):
            hub.send_state({"n": number})
            assert await quick.take() == f'{{"n":{number}}}'
        assert await slow.take() is None

    asyncio.run(work())


def test_a_closed_page_gets_nothing() -> None:
    async def work() -> None:
        hub = Hub()
        page = hub.add()
        hub.remove(page)
        hub.send_state({"n": 1})
        assert len(hub) == 0
        taking = asyncio.ensure_future(page.take())
        await asyncio.sleep(0)
        assert not taking.done()
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)

    asyncio.run(work())

"""A page beyond loopback: no way in but the login, over TLS, with few tries."""

import asyncio
import json
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import ValidationError
from tests.support.certificates import Authority
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from wavewrap_dashboard.login import SESSION_S, TRIES_ALL_MAX, TRIES_MAX, WINDOW_S, Login, TooManyError
from wavewrap_dashboard.process import open_dashboard
from wavewrap_dashboard.settings import DashboardSettings

HASH = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)).hash("right-password")
TOKEN = "a-token-of-the-tests-123"


class Hand:
    """A clock set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def login(hand: Hand, users: dict[str, str] | None = None) -> Login:
    return Login({"anna.b": HASH} if users is None else users, TOKEN, hand, hand)


def test_a_session_ends_with_its_time_and_with_the_password_that_opened_it() -> None:
    async def work() -> None:
        hand = Hand()
        door = login(hand)
        assert await door.open_session("a", "anna.b", "wrong-password") is None
        assert await door.open_session("a", "nobody", "right-password") is None
        cookie = await door.open_session("a", "anna.b", "right-password")
        assert cookie is not None
        assert door.is_session(cookie)
        assert login(hand).is_session(cookie), "a server that was started again"
        name, expires, signature = cookie.rsplit(".", 2)
        for forged in (None, "", "a", f"{name}.{int(expires) + 1}.{signature}", f"eve.{expires}.{signature}", f"{name}.x.{signature}"):
            assert not door.is_session(forged)
        assert not login(hand, {"anna.b": HASH + "x"}).is_session(cookie)
        hand.now_s += SESSION_S + 1
        assert not door.is_session(cookie)

    asyncio.run(work())


def test_whoever_guesses_has_few_tries_and_keeps_no_other_address_out_until_many_guess() -> None:
    async def work() -> None:
        hand = Hand()
        door = login(hand)
        for _ in range(TRIES_MAX):
            await door.open_session("a", "anna.b", "wrong-password")
        with pytest.raises(TooManyError) as refusal:
            await door.open_session("a", "anna.b", "right-password")
        assert 0 < refusal.value.wait_s <= WINDOW_S
        assert await door.open_session("b", "anna.b", "right-password")
        hand.now_s += WINDOW_S + 1
        assert await door.open_session("a", "anna.b", "right-password")
        for number in range(TRIES_ALL_MAX):
            await door.open_session(f"bot-{number}", "anna.b", "wrong-password")
        with pytest.raises(TooManyError):
            await door.open_session("c", "anna.b", "right-password")

    asyncio.run(work())


@pytest.mark.parametrize(
    "more", [{"listen": "0.0.0.0"}, {"listen": "0.0.0.0", "users": {"a": HASH}}, {"users": {"a": HASH}}, {"listen": "192.168.1.2"}]
)
def test_the_process_refuses_to_serve_elsewhere_unguarded(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="needs TLS and users"):
        DashboardSettings.model_validate({"brokers": [{"host": "127.0.0.1", "port": 1}], "token": TOKEN, **more})


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def test_over_tls_nothing_opens_but_the_login(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert_file, key_file = authority.issue("pi.local", "127.0.0.1")
    trust = ssl.create_default_context(cafile=str(authority.file))

    def ask(url: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], str]:
        data = None if body is None else json.dumps(body).encode()
        opener = build_opener(_NoRedirect, HTTPSHandler(context=trust))
        try:
            with opener.open(Request(url, data=data, headers=headers), timeout=10) as answer:
                return answer.status, {key.lower(): value for key, value in answer.headers.items()}, answer.read().decode()
        except HTTPError as answer:
            with answer:
                return answer.code, {key.lower(): value for key, value in answer.headers.items()}, answer.read().decode()

    async def socket(address: str, cookie: str) -> int:
        try:
            host = address.removeprefix("https://")
            headers = {"Cookie": cookie}
            async with connect(f"wss://{host}/socket", ssl=trust, origin=address, additional_headers=headers):  # type: ignore[arg-type]  # Origin is a NewType of str
                return 101
        except InvalidStatus as answer:
            return answer.response.status_code

    async def work() -> None:
        settings = DashboardSettings.model_validate(
            {
                "brokers": [{"host": "127.0.0.1", "port": 1}],
                "token": TOKEN,
                "names": ["pi.local"],
                "tls": {"cert_file": str(cert_file), "key_file": str(key_file)},
                "users": {"anna": HASH},
            }
        )
        async with open_dashboard(settings) as page:
            port = page.url.removesuffix("/").rpartition(":")[2]
            assert page.url == f"https://pi.local:{port}/"
            address = f"https://127.0.0.1:{port}"
            for path in ("/", f"/enter/{TOKEN}"):
                status, headers, _ = await asyncio.to_thread(ask, address + path)
                assert (status, headers["location"]) == (303, "/login")
            assert (await asyncio.to_thread(ask, f"{address}/login"))[0] == 200
            assert (await asyncio.to_thread(ask, f"{address}/login", Host="evil.example"))[0] == 421
            right = {"name": "anna", "password": "right-password"}
            assert (await asyncio.to_thread(ask, f"{address}/login", right, Origin="https://evil.example"))[0] == 400
            assert (await asyncio.to_thread(ask, f"{address}/login", right))[0] == 400
            malformed: list[object] = [[], {"name": "anna"}, {"name": "anna", "password": 1}, {"name": "a" * 5000, "password": ""}]
            for wrong in malformed:
                assert (await asyncio.to_thread(ask, f"{address}/login", wrong, Origin=address))[0] == 400
            assert (await asyncio.to_thread(ask, f"{address}/login", {**right, "password": "no"}, Origin=address))[0] == 401
            status, headers, _ = await asyncio.to_thread(ask, f"{address}/login", right, Origin=address)
            assert status == 204
            told = headers["set-cookie"]
            assert told.startswith(f"__Host-wavewrap-{port}=anna.")
            assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in told.split(";")}
            assert "samesite=strict" in told.lower()
            cookie = told.partition(";")[0]
            assert (await asyncio.to_thread(ask, f"{address}/", Cookie=cookie))[0] == 200
            assert await socket(address, cookie) == 101
            for bad in ("", f"__Host-wavewrap-{port}={TOKEN}", f"wavewrap-{port}={TOKEN}", cookie[:-1]):
                assert await socket(address, bad) == 403, bad
                # The history is behind the same door; there is none here, which is for those to know who are let in.
                assert (await asyncio.to_thread(ask, f"{address}/ask/sessions", {}, Cookie=bad, Origin=address))[0] == 403, bad
            assert (await asyncio.to_thread(ask, f"{address}/ask/sessions", {}, Cookie=cookie, Origin=address))[0] == 409
            for _ in range(TRIES_MAX):
                await asyncio.to_thread(ask, f"{address}/login", {**right, "password": "no"}, Origin=address)
            status, headers, body = await asyncio.to_thread(ask, f"{address}/login", right, Origin=address)
            assert (status, json.loads(body)["fail"]) == (429, "wait")
            assert 0 < int(headers["retry-after"]) <= WINDOW_S

    began_s = time.monotonic()
    asyncio.run(work())
    assert time.monotonic() - began_s < 60.0

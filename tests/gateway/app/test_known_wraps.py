"""The wraps that a host is paired with: kept whole, told in one line when broken, found by any of their names."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wavewrap_gateway.app.known_wraps import KnownWrap, load_known_wraps
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import Side

USB = "bumble:usb:0"


def known(number: int, name: str | None = None, radio: str = USB) -> KnownWrap:
    return KnownWrap(
        serial=f"WR 00{number}",
        side=Side.LEFT,
        model="WR-4",
        name=name,
        address=f"F0:57:52:00:00:0{number}",
        radio=radio,
        paired_at=datetime(2025, 3, 1, 12, tzinfo=UTC),
    )


def test_what_is_added_is_there_again_and_a_new_pairing_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "wraps.json"
    wraps = load_known_wraps(path)
    assert wraps.wraps == ()
    wraps.add(known(1))
    wraps.add(known(2, "right-leg"))
    wraps.add(known(1, "left-leg"))
    again = load_known_wraps(path)
    assert again.wraps == (known(2, "right-leg"), known(1, "left-leg"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again.remove(again.find("right-leg"))
    assert load_known_wraps(path).wraps == (known(1, "left-leg"),)
    assert [file.name for file in path.parent.iterdir()] == ["wraps.json"]


def test_a_wrap_is_meant_by_name_serial_or_address_and_only_where_it_is(tmp_path: Path) -> None:
    wraps = load_known_wraps(tmp_path / "wraps.json")
    wraps.add(known(1, "left-leg"))
    wraps.add(known(2, radio="platform"))
    for text in ("left-leg", "WR 001", "wr 001", "f0:57:52:00:00:01"):
        assert wraps.find(text).serial == "WR 001"
    assert wraps.find("wr-002").serial == "WR 002"
    with pytest.raises(UsageError, match=r"^no wrap called 'leg' is paired with this host; known: left-leg, wr-002\."):
        wraps.find("leg")
    assert wraps.resolve(["left-leg", "F0:00:00:00:00:99"]) == ["F0:57:52:00:00:01", "F0:00:00:00:00:99"]
    assert wraps.addresses(USB) == ["F0:57:52:00:00:01"]
    assert wraps.at("platform", "F0:57:52:00:00:01") is None
    assert wraps.at(USB, "F0:57:52:00:00:01") == known(1, "left-leg")


def test_the_configuration_names_before_the_file_and_no_two_wraps_alike(tmp_path: Path) -> None:
    wraps = load_known_wraps(tmp_path / "wraps.json")
    wraps.add(known(1, "left-leg"))
    wraps.add(known(2))
    configured = {"WR 001": "porch", "WR 009": "attic"}
    assert wraps.names(configured) == {"WR 001": "porch", "WR 009": "attic"}
    assert wraps.names({}) == {"WR 001": "left-leg"}
    assert wraps.check_name("left-leg", "WR 001", configured) == "left-leg"
    for name in ("left-leg", "attic"):
        with pytest.raises(UsageError, match=rf"^name '{name}': the wrap WR 00\d is called that: choose another"):
            wraps.check_name(name, "WR 002", configured)
    with pytest.raises(UsageError, match="the wrap WR 002 is called that"):
        wraps.check_name("wr-002", "WR 003", {})
    for name in ("", "Left", "a/b", "bridge", "x" * 65):
        with pytest.raises(UsageError, match=r"use up to 64 of a-z, 0-9, _ and -, and not 'bridge'$"):
            wraps.check_name(name, "WR 001", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Invalid JSON"),
        ('{"wraps": [{"serial": "A"}]}', r"wraps\.0\.side: Field required"),
        ('{"wraps": [], "more": 1}', "more: Extra inputs are not permitted"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_broken_file_is_told_in_one_line(text: str | bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "wraps.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=rf"wraps\.json: .*{told}.*: repair it, or move it away") as caught:
        load_known_wraps(path)
    assert "\n" not in str(caught.value)
    assert path.exists(), "nothing is thrown away"


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(UsageError, match=r"wraps\.json: cannot be (read|written) \(Not a directory\)"):
        load_known_wraps(tmp_path / "file" / "wraps.json").add(known(1))

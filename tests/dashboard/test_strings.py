"""Every word that the page may need exists in every language, and none of them claims anything for health."""

import json
import re
from pathlib import Path

import pytest

from wavewrap_gateway.core import link_state
from wavewrap_protocol.enums import DeviceState, Fault

STRINGS = Path(__file__).parents[2] / "gateway" / "web" / "src" / "strings"
LINKS = ("searching", "connecting", "preparing", "ready", "lost", "failed", "bond_lost", "closed")


SETS = ("", "history-", "journal-")
"""The live page's words, and those of what is loaded later."""


def read(language: str, begin: str = "") -> dict[str, str]:
    strings = json.loads((STRINGS / f"{begin}{language}.json").read_text(encoding="utf-8"))
    assert isinstance(strings, dict)
    return strings


def test_there_are_no_other_sets() -> None:
    assert {path.name for path in STRINGS.iterdir()} == {f"{begin}{language}.json" for begin in SETS for language in ("en", "de")}


@pytest.mark.parametrize("begin", SETS)
def test_both_languages_say_the_same_things_with_the_same_values(begin: str) -> None:
    english, german = read("en", begin), read("de", begin)
    assert set(english) == set(german)
    assert all(english.values())
    assert all(german.values())
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", german[key])), key


def test_every_fault_and_state_has_its_words() -> None:
    english = read("en")
    for fault in Fault:
        assert f"fault_{fault.name.lower()}" in english
        assert f"fault_{fault.name.lower()}_what" in english
    for state in DeviceState:
        assert f"device_{state.name.lower()}" in english
    words = {link_state.link_word(link_state.BondLost("")), link_state.link_word(link_state.Closed())}
    assert words <= set(LINKS)
    for word in LINKS:
        assert f"link_{word}" in english


@pytest.mark.parametrize("begin", SETS)
def test_every_string_is_used(begin: str) -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in STRINGS.parent.glob(f"{begin[:-1]}/*.ts" if begin else "*.ts"))
    words = "fault|device|link|fail|session|stop|stop_detail|summary|check|check_contra|trouble|state|about|run_wrong|timer|trend_key|entry"
    built = re.compile(rf"^({words})_")
    unused = [key for key in read("en", begin) if f'"{key}"' not in source and not built.match(key)]
    # Those that stand as attributes of tables, without quotes.
    assert [key for key in unused if not re.search(rf"\b{key}\b", source)] == []


@pytest.mark.parametrize("begin", SETS)
@pytest.mark.parametrize("language", ["en", "de"])
def test_no_string_claims_anything_for_health(language: str, begin: str) -> None:
    claims = re.compile(
        r"heal(s|ing)?\b|cure|therap|recover(s|y)? faster|improves?|relie(f|ves)|"
        r"heilt|heilend|lindert|verbessert|on your (calf|leg|skin)",
        re.IGNORECASE,
    )
    assert {key: text for key, text in read(language, begin).items() if claims.search(text)} == {}

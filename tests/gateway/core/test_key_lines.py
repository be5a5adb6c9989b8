"""Lines of keys in TOML text."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavewrap_gateway.core.key_lines import Path, locate_keys

TEXT = '''# comment = 1
name = "a # b = [c]"   # comment
text = """
looks = "like keys"
[and.tables] \\"""
still inside"""
raw = \'\'\'
x = 1
\'\'\'
list = [
  1,  # first, [
  [2,
   3], { deep = 4, other = "}" },
]

inline = { a = 1, b.c = [5, 6] }
"quoted key" . 'x.y' = 7

[table]
when = 1979-05-27 07:32:00Z
[table.sub."dotted.name"]
value = +inf
[[items]]
a = 1
[[items]]
a = 2
[items.inner]
b = 3
[[items.leaves]]
c = "\\u00e9"
"\\u00e9t\\"" = 1
'''

EXPECTED: dict[Path, int] = {
    ("name",): 2,
    ("text",): 3,
    ("raw",): 7,
    ("list",): 10,
    ("list", 0): 11,
    ("list", 1): 12,
    ("list", 1, 0): 12,
    ("list", 1, 1): 13,
    ("list", 2): 13,
    ("list", 2, "deep"): 13,
    ("list", 2, "other"): 13,
    ("inline",): 16,
    ("inline", "a"): 16,
    ("inline", "b"): 16,
    ("inline", "b", "c"): 16,
    ("inline", "b", "c", 0): 16,
    ("inline", "b", "c", 1): 16,
    ("quoted key",): 17,
    ("quoted key", "x.y"): 17,
    ("table",): 19,
    ("table", "when"): 20,
    ("table", "sub"): 21,
    ("table", "sub", "dotted.name"): 21,
    ("table", "sub", "dotted.name", "value"): 22,
    ("items",): 23,
    ("items", 0): 23,
    ("items", 0, "a"): 24,
    ("items", 1): 25,
    ("items", 1, "a"): 26,
    ("items", 1, "inner"): 27,
    ("items", 1, "inner", "b"): 28,
    ("items", 1, "leaves"): 29,
    ("items", 1, "leaves", 0): 29,
    ("items", 1, "leaves", 0, "c"): 30,
    ("items", 1, "leaves", 0, 'ét"'): 31,
}


def _paths(value: object, base: Path = ()) -> set[Path]:
    """Every path in what the parser of the standard library read."""
    entries = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    return ({base} if base else set()).union(*(_paths(inner, (*base, key)) for key, inner in entries))


def test_every_key_has_its_line() -> None:
    assert locate_keys(TEXT) == EXPECTED
    assert _paths(tomllib.loads(TEXT)) == set(EXPECTED)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_of_every_system(newline: str) -> None:
    assert locate_keys(newline.join(["a = 1", "", "[b]", "c = [", "2]", ""])) == {
        ("a",): 1,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "c", 0): 5,
    }


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# nothing", "a = 1", "a = []\nb = {}", "a=[1,]", "[a]\n[a.b]", "a = ''\nb = \"\"", 'a = """"x""""']
)
def test_small_texts(text: str) -> None:
    assert set(locate_keys(text)) == _paths(tomllib.loads(text))


KEYS = st.text("ab-_1", min_size=1, max_size=3)
SCALARS = st.sampled_from(["1", "-0.5e3", "true", '"x # ] }"', "'''\n]\n'''", '"""\\\n a"""', "1979-05-27T07:32:00Z", "0xFF", "nan"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda entries: "[\n" + " , # c ]\n".join(entries) + "\n]"),
        st.dictionaries(KEYS, inner, max_size=3).map(
            lambda table: "{ " + ", ".join(f"{key} = {value}" for key, value in table.items()) + " }"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(tables=st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3), many=st.booleans())
def test_it_finds_what_the_parser_finds(tables: dict[str, dict[str, str]], many: bool) -> None:
    opening, closing = ("[[", "]]") if many else ("[", "]")
    lines = [
        line
        for name, table in tables.items()
        for line in (f"{opening} {name} {closing}", *(f"{key} = {value}" for key, value in table.items()))
    ]
    text = "\n".join(lines)
    assert set(locate_keys(text)) == _paths(tomllib.loads(text))

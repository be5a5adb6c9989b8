"""The line of every key in a TOML text, which the standard library's parser does not tell.

Not a validator: it expects text that :mod:`tomllib` accepts, and only follows its structure.
"""

import re

__all__ = ["Path", "locate_keys"]

Path = tuple[str | int, ...]
"""Keys and list indexes from the root to a value."""

_STRING = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"{3,5}'
    r"|'''[\s\S]*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
)
_SKIPPED = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]+")
_SHORT_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")


def locate_keys(text: str) -> dict[Path, int]:
    """Line (counted from 1) of every key, table and list entry of ``text``, by its path."""
    return _Walk(text).run()


class _Walk:
    """One pass over the text, character by character; ``lines`` grows as keys are met."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.list_sizes: dict[Path, int] = {}

    def run(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip():
            if self._next_is("["):
                table = self._walk_header()
            else:
                self._walk_pair(table)
        return self.lines

    def _skip(self) -> bool:
        """Move past blanks and comments; False at the end of the text."""
        blank = _SKIPPED.match(self.text, self.at)
        if blank:
            self.at = blank.end()
        return self.at < len(self.text)

    def _next_is(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def _mark(self, path: Path, at: int) -> None:
        self.lines.setdefault(path, self.text.count("\n", 0, at) + 1)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError(f"no TOML at character {self.at}")
        self.at = found.end()
        return found.group()

    def _walk_keys(self, base: Path) -> Path:
        """A dotted key from here on, under ``base``."""
        path = base
        while True:
            self._skip()
            at = self.at
            quoted = self.text[at] in "\"'"
            name = _unquote(self._take(_STRING)) if quoted else self._take(_BARE_KEY)
            path = self._inside((*path, name))
            self._mark(path, at)
            self._skip()
            if not self._next_is("."):
                return path
            self.at += 1

    def _inside(self, path: Path) -> Path:
        """``path``, and where it names an array of tables, its newest table."""
        return (*path, self.list_sizes[path] - 1) if path in self.list_sizes else path

    def _walk_header(self) -> Path:
        start, double = self.at, self._next_is("[[")
        self.at += 2 if double else 1
        path = self._walk_keys(())
        self.at += 2 if double else 1
        if double:
            # A second [[table]] was led inside the first one by _inside: step back out before counting it.
            path = path[:-1] if isinstance(path[-1], int) else path
            self.list_sizes[path] = self.list_sizes.get(path, 0) + 1
            path = self._inside(path)
            self._mark(path, start)
        return path

    def _walk_pair(self, table: Path) -> None:
        path = self._walk_keys(table)
        self.at += 1  # the equals sign
        self._walk_value(path)

    def _walk_value(self, path: Path) -> None:
        self._skip()
        self._mark(path, self.at)
        if self._next_is("["):
            self._walk_list(path)
        elif self._next_is("{"):
            self._walk_inline_table(path)
        elif self.text[self.at] in "\"'":
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _walk_list(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._skip() and not self._next_is("]"):
            if self._next_is(","):
                self.at += 1
                continue
            self._walk_value((*path, index))
            index += 1
        self.at += 1

    def _walk_inline_table(self, path: Path) -> None:
        self.at += 1
        while self._skip() and not self._next_is("}"):
            if self._next_is(","):
                self.at += 1
                continue
            self._walk_pair(path)
        self.at += 1


def _unquote(token: str) -> str:
    if token.startswith("'"):
        return token[1:-1]
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)) if found[1] or found[2] else _SHORT_ESCAPES[found[3]], token[1:-1])

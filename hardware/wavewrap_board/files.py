"""Board files on disk, and the boards that come with the project."""

from difflib import get_close_matches
from pathlib import Path

from wavewrap_board.board import Board
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.toml_files import load_toml

__all__ = ["REFERENCE_BOARD", "board_names", "load_board"]

REFERENCE_BOARD = "wrap_rev_a"
"""What is meant where no board is named."""

_INSTALLED = Path(__file__).resolve().parent / "boards"
_BOARDS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[1] / "boards"
"""A wheel carries the files with the package; a checkout has them beside it."""


def board_names() -> list[str]:
    """The boards that come with the project, sorted."""
    return sorted(path.stem for path in _BOARDS.glob("*.toml"))


def load_board(source: str | Path) -> Board:
    """The board ``source``: a path when it is one, ends in ``.toml`` or holds a slash, else the name of one that comes with the project.

    Raises :class:`UsageError` in one line for an unreadable file, an unknown name, a syntax error, a wrong key or value, or parts that do
    not suit each other.
    """
    if isinstance(source, Path) or source.endswith(".toml") or "/" in source or "\\" in source:
        path = Path(source)
    else:
        path = _BOARDS / f"{source}.toml"
        names = board_names()
        if source not in names:
            close = get_close_matches(source, names, n=2)
            hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names)}."
            raise UsageError(f"no board is called {source!r}: {hint} A path to a file ends in .toml")
    return load_toml(path, Board.model_validate, "give the path of a board file or the name of a board")

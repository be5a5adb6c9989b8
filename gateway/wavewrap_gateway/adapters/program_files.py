"""Program files on disk and the presets of the package (importlib.resources)."""

from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.program_file import parse_program
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import CEILING_DEFAULT_MMHG, QUEUE_DEPTH_DEFAULT

__all__ = ["CHAMBERS_DEFAULT", "find_program", "load_program", "own_programs", "preset_names"]

CHAMBERS_DEFAULT = 4
"""Chambers of the reference wrap."""


def preset_names() -> list[str]:
    """The presets that the package brings, sorted."""
    folder = resources.files("wavewrap_gateway") / "programs"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_program(
    source: str,
    chambers: int = CHAMBERS_DEFAULT,
    ceiling_mmhg: float = CEILING_DEFAULT_MMHG,
    queue_depth: int = QUEUE_DEPTH_DEFAULT,
    board: str = REFERENCE_BOARD,
) -> Program:
    """The program ``source``, checked for a wrap like ``board`` of ``chambers``.

    A path when it ends in ``.toml`` or holds a slash, else a preset's name; ``board`` likewise.

    Raises :class:`UsageError` in one line for an unreadable file, an unknown preset, a syntax error, a wrong key or value, a limit,
    and what :func:`wavewrap_board.files.load_board` raises.
    """
    built = load_board(board).with_chambers(chambers)
    if source.endswith(".toml") or "/" in source or "\\" in source:
        return parse_program(_read_text(Path(source)), source, built, ceiling_mmhg, queue_depth)
    names = preset_names()
    if source not in names:
        close = get_close_matches(source, names, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names)}."
        raise UsageError(f"no preset is called {source!r}: {hint} A path to a file ends in .toml")
    text = (resources.files("wavewrap_gateway") / "programs" / f"{source}.toml").read_text(encoding="utf-8")
    return parse_program(text, f"{source}.toml", built, ceiling_mmhg, queue_depth)


def own_programs(folder: Path) -> dict[str, Path]:
    """The program files in ``folder`` by the name of the file, which is what they are called from afar; none where it is not there."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_program(name: str, folder: Path) -> str:
    """What :func:`load_program` takes for ``name``: a file in ``folder`` before a preset, and never anything else that is on this disk."""
    own = own_programs(folder).get(name)
    if own is not None:
        return str(own)
    if name not in preset_names():
        raise UsageError(f"no program is called {name!r}: see the list of programs, or put {name}.toml into {folder}")
    return name


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as cause:
        raise UsageError(f"{path}: cannot be read ({cause.strerror}); give the path of a program file or the name of a preset") from cause
    except UnicodeDecodeError as cause:
        raise UsageError(f"{path}: byte {cause.start} is not UTF-8; save the file as UTF-8") from cause

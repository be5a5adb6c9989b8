"""The text of a program file to a checked program; every fault names its line.

Not responsible for reading the file (:mod:`wavewrap_gateway.adapters.program_files`).
"""

import re
import tomllib
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wavewrap_board.board import Board
from wavewrap_gateway.core.key_lines import Path, locate_keys
from wavewrap_gateway.core.program import (
    PROGRAM,
    Alternating,
    Isolation,
    Program,
    ProgramBase,
    SequentialHold,
    SequentialPulse,
    TravellingWave,
)
from wavewrap_gateway.core.program_check import check_program
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import CEILING_DEFAULT_MMHG, QUEUE_DEPTH_DEFAULT

__all__ = ["parse_program"]

_MODELS: dict[str, type[ProgramBase]] = {
    "sequential_hold": SequentialHold,
    "travelling_wave": TravellingWave,
    "sequential_pulse": SequentialPulse,
    "alternating": Alternating,
    "isolation": Isolation,
}
_LOC_TAGS = frozenset({*_MODELS, "drop", "drops"})
_POSITION = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
_SHOWN_CHARACTERS = 40


def parse_program(
    text: str,
    origin: str,
    board: Board,
    ceiling_mmhg: float = CEILING_DEFAULT_MMHG,
    queue_depth: int = QUEUE_DEPTH_DEFAULT,
) -> Program:
    """The program in ``text``, checked for a wrap of ``board``.

    Raises :class:`UsageError` in one line, ``origin:line: key value: what is wrong; what to do``, for the first fault in the order of
    lines; it counts the others.
    """
    try:
        table = tomllib.loads(text)
        lines = locate_keys(text)
    except tomllib.TOMLDecodeError as cause:
        raise UsageError(_describe_syntax(str(cause), text, origin)) from cause
    except RecursionError as cause:
        raise UsageError(f"{origin}:1: brackets are nested too deep; a program takes lists of numbers only") from cause
    try:
        program = PROGRAM.validate_python(table)
    except ValidationError as cause:
        faults = [_describe_detail(detail, table) for detail in cause.errors(include_url=False)]
        raise UsageError(_report(faults, lines, origin)) from cause
    problems = check_program(program, board, ceiling_mmhg, queue_depth)
    if problems:
        paths: list[Path] = [(problem.key,) if problem.index is None else (problem.key, problem.index) for problem in problems]
        raise UsageError(_report([(path, str(problem)) for path, problem in zip(paths, problems, strict=True)], lines, origin))
    return program


def _describe_syntax(message: str, text: str, origin: str) -> str:
    found = _POSITION.search(message)
    line = int(found[1]) if found and found[1] else text.rstrip().count("\n") + 1
    return f"{origin}:{line}: {_POSITION.sub('', message)}; write it as TOML, for example pressure_mmhg = 50"


def _report(faults: list[tuple[Path, str]], lines: dict[Path, int], origin: str) -> str:
    line, text = min((_line_of(path, lines), text) for path, text in faults)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{origin}:{line}: {text}{more}"


def _line_of(path: Path, lines: dict[Path, int]) -> int:
    """The line of the nearest thing to ``path`` that stands in the file."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _describe_detail(detail: ErrorDetails, table: dict[str, object]) -> tuple[Path, str]:
    """Path and words of one of pydantic's errors."""
    context = detail.get("ctx", {})
    # The union puts the pattern's own name first and the tag of a gradient behind its key: neither stands in the file as a key.
    path: Path = tuple(part for part in detail["loc"] if part not in _LOC_TAGS)
    key = ".".join(str(part) for part in path)
    value = repr(detail["input"])
    shown = value if len(value) <= _SHOWN_CHARACTERS else value[:_SHOWN_CHARACTERS] + "..."
    match detail["type"]:
        case "union_tag_not_found":
            return (), f"pattern is missing: add one of {', '.join(_MODELS)}"
        case "union_tag_invalid":
            return ("pattern",), f"pattern {table['pattern']!r}: unknown; use one of {', '.join(_MODELS)}"
        case "missing":
            return path, f"{key} is missing: add it"
        case "extra_forbidden":
            return path, f"{key}: {_advise_key(str(path[-1]), str(table['pattern']))}"
        case "two_of_three" | "overlap":
            place = str(context["key"])
            return (place,), f"{place} {table[place]}: {context['text']}"
        case "value_error":
            return path, f"{key} {shown}: {context['error']}"
        case "string_pattern_mismatch" if key == "name":
            return path, f"{key} {shown}: use small letters, digits and single hyphens, as in calf-wave"
        case _:
            message = detail["msg"].removeprefix("Input should ").rstrip(".")
            return path, f"{key} {shown}: should {message}" if message != detail["msg"] else f"{key} {shown}: {message}"


def _advise_key(key: str, pattern: str) -> str:
    known = list(_MODELS[pattern].model_fields)
    readers = [name for name, model in _MODELS.items() if key in model.model_fields]
    if readers:
        return f"the pattern {pattern} does not read it; take it out (it belongs to {', '.join(readers)})"
    close = get_close_matches(key, known, n=1)
    return f"unknown key; did you mean {close[0]}?" if close else f"unknown key; {pattern} reads {', '.join(known)}"

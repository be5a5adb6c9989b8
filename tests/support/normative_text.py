"""The tables of ``protocol/README.md``, by the heading they stand under."""

import re
from pathlib import Path

__all__ = ["TEXT", "Row", "read_tables"]

TEXT = (Path(__file__).parents[2] / "protocol" / "README.md").read_text(encoding="utf-8")

Row = dict[str, str]


def read_tables() -> dict[str, list[Row]]:
    """Rows as {column: cell}, back-ticks and links stripped, of the first table under each heading; headings lose their number."""
    tables: dict[str, list[Row]] = {}
    heading, columns = "", None
    for line in TEXT.splitlines():
        if line.startswith("#"):
            heading, columns = re.sub(r"^#+ ([\d.]+ )?", "", line), None
        elif line.startswith("|"):
            cells = [_strip(cell) for cell in line.strip().strip("|").split("|")]
            if columns is None and heading not in tables:
                columns, tables[heading] = cells, []
            elif columns is not None and not set(line) <= set("|-"):
                tables[heading].append(dict(zip(columns, cells, strict=True)))
        else:
            columns = None
    return tables


def _strip(cell: str) -> str:
    return re.sub(r"\[([^]]+)\]\(#\w+\)", r"\1", cell).replace("`", "").strip()

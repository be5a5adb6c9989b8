"""What every bench returns, and how it looks."""

import os
import platform
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, computed_field
from rich.console import Console
from rich.table import Table

__all__ = ["BenchReport", "Check", "describe_machine", "print_report"]


class Check(BaseModel):
    """One figure and the limit it is held to; ``limit`` None is a figure without one."""

    model_config = ConfigDict(frozen=True)
    name: str
    value: float
    unit: str
    limit: float | None
    better: Literal["lower", "higher"]

    @computed_field  # type: ignore[prop-decorator]  # pydantic's documented order of decorators
    @property
    def ok(self) -> bool:
        """Whether the figure keeps its limit."""
        if self.limit is None:
            return True
        return self.value <= self.limit if self.better == "lower" else self.value >= self.limit


class BenchReport(BaseModel):
    """The result of one bench. ``details`` is the bench's own."""

    model_config = ConfigDict(frozen=True)
    bench: str
    machine: dict[str, Any]
    checks: list[Check]
    details: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether every check is."""
        return all(check.ok for check in self.checks)


def describe_machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        if cpuinfo.exists()
        else []
    )
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cores": os.cpu_count(),
        "cpu": names[0] if names else platform.processor(),
        "load": list(os.getloadavg()),
    }


def print_report(report: BenchReport) -> None:
    """The checks as a table, on stdout."""
    table = Table(box=None, pad_edge=False, header_style="bold", title=f"bench {report.bench}", title_justify="left")
    for heading, justify in (("check", "left"), ("value", "right"), ("unit", "left"), ("limit", "right"), ("", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # rich's literals
    for check in report.checks:
        sign = "<=" if check.better == "lower" else ">="
        limit = "" if check.limit is None else f"{sign} {check.limit:g}"
        table.add_row(check.name, _round(check.value), check.unit, limit, "ok" if check.ok else "SHORT")
    Console().print(table)


def _round(value: float) -> str:
    """Two decimals, more where that would leave less than two digits."""
    return f"{value:.2g}" if 0.0 < abs(value) < 0.1 else f"{value:.2f}"

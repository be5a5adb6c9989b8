"""Rules of the house that no linter knows."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import wavewrap_protocol

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "protocol/wavewrap_protocol",
    "gateway/wavewrap_gateway",
    "gateway/wavewrap_dashboard",
    "firmware_sim/wavewrap_sim",
    "hardware/wavewrap_board",
    "tests/bench/wavewrap_bench",
)
LINES_MAX = 400


@cache
def tracked_files() -> tuple[Path, ...]:
    """What git tracks; in a tree without git (an unpacked sdist) every file outside environments and caches."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())
    return tuple(
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") or part in {"node_modules", "bundle"} for part in path.relative_to(ROOT).parts[:-1])
    )


def read_texts() -> Iterator[tuple[str, str]]:
    for path in tracked_files():
        if path.suffix not in {".png", ".svg", ".sqlite", ".pdf"}:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def read_project() -> dict[str, object]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert isinstance(project, dict)
    return project


def test_no_python_file_is_over_its_length() -> None:
    lengths = {name: text.count("\n") for name, text in read_texts() if name.endswith(".py")}
    assert len(lengths) > 20
    assert {name: length for name, length in lengths.items() if length > LINES_MAX} == {}


def test_every_dependency_has_its_reason() -> None:
    project = read_project()
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    declared = {f"{name} ({group})" for group, names in extras.items() for name in map(bare_name, names)}
    declared |= {bare_name(requirement) for requirement in project["dependencies"]}  # type: ignore[attr-defined]  # a list of str
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    given = {name + extra: reason for name, extra, reason in re.findall(r"^\| `([\w-]+)`( \(\w+\))? \| (.+) \|$", text, re.MULTILINE)}
    floors = {name for name in given if name.startswith("wavewrap_")}
    assert set(given) - floors == declared
    assert all(len(reason) > 5 for reason in given.values())


def bare_name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert found, requirement
    return found[0]


# A letter in brackets keeps a pattern from matching its own line.
FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"/[w]ork/|/[r]oot/|/[t]mp/|/[h]ome/\w+/|[C]:\\Users"),
    "a folder beside the project": re.compile(r"(?<![\w-])[s]hared/|(?<![\w/-])[n]otes/\w+\.md"),
    "a package registry": re.compile(r"[p]ypi\.org|[p]ythonhosted\.org|[r]egistry\.npmjs|/opt/[p]ypi|[e]xtra-index-url|[f]ind-links"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names_things_outside_the_project(what: str) -> None:
    found = [f"{name}: {match[0]}" for name, text in read_texts() for match in FORBIDDEN[what].finditer(text)]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_every_package_is_built() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert tuple(config["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES
    assert config["mypy"]["packages"] == [Path(package).name for package in PACKAGES]
    assert config["mypy"]["strict"] is True
    assert config["pytest"]["ini_options"]["filterwarnings"] == ["error"]


def test_licence() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", text)
    assert read_project()["license"] == "Apache-2.0"


def test_the_version_is_written_once() -> None:
    assert read_project()["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", wavewrap_protocol.__version__)
    written = [name for name, text in read_texts() if re.search(r"^__version__ = ", text, re.MULTILINE)]
    assert written == ["protocol/wavewrap_protocol/__init__.py"]


def test_ci_runs_what_people_run() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    check = makefile.split("\ncheck:", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"directory (\w+)", check) == ["lint", "audit", "fuzz", "test"]
    assert "make check" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_no_module_is_named_after_nothing() -> None:
    empty_names = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert [name for name, _ in read_texts() if Path(name).stem in empty_names] == []

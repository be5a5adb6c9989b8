"""The command line loads what was typed and no more, and every command that it names is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wavewrap_gateway.cli.main import COMMANDS, build, main

HEAVY = ("bumble", "sqlalchemy", "uvicorn", "matplotlib")


@pytest.mark.parametrize("name", [*COMMANDS, "sim"])
def test_every_command_is_known_by_its_name(name: str) -> None:
    names = [name] if name in COMMANDS else []
    with pytest.raises(SystemExit) as ended:
        build(names)([name, "--help"] if names else ["--help"])
    assert ended.value.code == 0


def test_the_help_names_them_all(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["wavewrap", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert [name for name in (*COMMANDS, "sim") if f" {name} " not in told] == []


@pytest.mark.parametrize(
    ("arguments", "loaded"), [(["--version"], ()), (["programs", "list"], ()), (["sessions", "list"], ("sqlalchemy",))]
)
def test_nothing_is_loaded_that_was_not_asked_for(arguments: list[str], loaded: tuple[str, ...], tmp_path: Path) -> None:
    code = f"""
import sys
from wavewrap_gateway.cli.main import main
sys.argv = ["wavewrap", *{arguments!r}]
try:
    main()
finally:
    print("loaded:", *(name for name in {HEAVY!r} if name in sys.modules))
"""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60.0, check=False, env=environment)
    assert done.stdout.splitlines()[-1].split()[1:] == list(loaded), done.stderr

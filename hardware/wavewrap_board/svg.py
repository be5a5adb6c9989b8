"""A small drawing in SVG: shapes in, text out, the same text for the same shapes on every machine."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

__all__ = ["Point", "Svg"]

Point = tuple[float, float]

_STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif;font-size:12px;fill:#111}"
    ".small{font-size:10.5px;fill:#444}.title{font-size:18px;font-weight:bold}.bold{font-weight:bold}"
    ".line{fill:none;stroke:#111;stroke-width:1.5}.part{fill:#fff;stroke:#111;stroke-width:1.5}"
    ".air{fill:none;stroke:#1560a8;stroke-width:2.5}.sense{fill:none;stroke:#1560a8;stroke-width:1.2;stroke-dasharray:5 3}"
    ".power{fill:none;stroke:#b3261e;stroke-width:2.5}.bladder{fill:#e3eef9;stroke:#1560a8;stroke-width:2}"
    ".guard{fill:#fdeceb;stroke:#b3261e;stroke-width:1.5}"
    ".solid{fill:#111;stroke:none}.dot{fill:#1560a8;stroke:none}.reddot{fill:#b3261e;stroke:none}"
)


class Svg:
    """A picture of ``width`` x ``height`` pixels; ``y`` runs down. ``look`` names a class of the style."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._size = (width, height)
        self._title = title
        self._shapes: list[str] = []

    def line(self, *points: Point, look: str = "line") -> None:
        """An open polyline."""
        self._shapes.append(f'<polyline class="{look}" points="{_points(points)}"/>')

    def polygon(self, *points: Point, look: str = "part") -> None:
        """A closed one."""
        self._shapes.append(f'<polygon class="{look}" points="{_points(points)}"/>')

    def box(self, x: float, y: float, width: float, height: float, look: str = "part", round_px: float = 0.0) -> None:
        """A rectangle with its upper left corner at (x, y)."""
        rounded = f' rx="{_number(round_px)}"' if round_px else ""
        size = f'width="{_number(width)}" height="{_number(height)}"'
        self._shapes.append(f'<rect class="{look}" x="{_number(x)}" y="{_number(y)}" {size}{rounded}/>')

    def circle(self, x: float, y: float, radius: float, look: str = "part") -> None:
        """Around (x, y)."""
        self._shapes.append(f'<circle class="{look}" cx="{_number(x)}" cy="{_number(y)}" r="{_number(radius)}"/>')

    def text(self, x: float, y: float, words: str, look: str = "", anchor: str = "start") -> None:
        """On the base line at (x, y); ``anchor`` is start, middle or end."""
        look = f' class="{look}"' if look else ""
        self._shapes.append(f'<text{look} x="{_number(x)}" y="{_number(y)}" text-anchor="{anchor}">{escape(words)}</text>')

    def finish(self) -> str:
        """The file's text."""
        width, height = (_number(value) for value in self._size)
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        ground = f'<rect width="{width}" height="{height}" fill="#fff"/>'
        return (
            "\n".join([head, f"<title>{escape(self._title)}</title>", f"<style>{_STYLE}</style>", ground, *self._shapes, "</svg>"]) + "\n"
        )


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

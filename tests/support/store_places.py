"""Places to keep a history: fresh SQLite files, or fresh databases of one PostgreSQL server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from tests.support.postgres import missing_postgres, run_postgres

__all__ = ["Place", "open_places"]


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of database; ``fresh`` makes an empty one and says how the gateway is told of it."""

    kind: str
    fresh: Callable[[], str]


def open_places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A fixture's function; its parameter is ``sqlite`` or ``postgresql``."""
    numbers = count()
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("histories")
        yield Place("sqlite", lambda: str(folder / f"{next(numbers)}.sqlite"))
        return
    missing = missing_postgres()
    if missing is not None:
        pytest.skip(missing)
    with run_postgres() as server:
        yield Place("postgresql", lambda: server.make_database(f"history{next(numbers)}"))

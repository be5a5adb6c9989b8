"""An async context that stays open for several tests which are not async themselves."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

__all__ = ["held_open"]

T = TypeVar("T")


@contextmanager
def held_open(context: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Its loop only turns while it opens and closes."""
    with asyncio.Runner() as runner:
        opened = runner.run(context.__aenter__())
        try:
            yield opened
        finally:
            runner.run(context.__aexit__(None, None, None))

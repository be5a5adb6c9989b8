"""The plant's kernel in the fastest form that there is here: by numba, or as plain Python. Nothing else imports numba.

numba takes a third of a second to import and some seconds to compile for the first time, so both happen when a plant is first made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from types import FunctionType
from typing import Any

from wavewrap_sim import plant_kernel

__all__ = ["Kernel", "fastest_kernel", "plain_kernel"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """:func:`wavewrap_sim.plant_kernel.advance` in one form."""

    advance: Callable[..., bool]
    is_compiled: bool
    form: str
    """For reports: by what it was compiled, or why it was not."""


@cache
def fastest_kernel() -> Kernel:
    """Compiled where numba works. The same one for every plant of a process."""
    try:
        import numba
    except ImportError as missing:  # not there, or not for this numpy
        return plain_kernel(str(missing))
    if vars(numba.config)["DISABLE_JIT"]:
        return plain_kernel("NUMBA_DISABLE_JIT is set")
    return _compile(numba)


def plain_kernel(why: str = "asked for") -> Kernel:
    """As plain Python, some fifty times slower, enough for one or two wraps in real time."""

    def advance(*arguments: Any) -> bool:
        # Elements of a memory view are Python's own numbers, which count three times as fast as numpy's.
        return plant_kernel.advance(*map(memoryview, arguments[:-3]), *arguments[-3:])  # type: ignore[arg-type]  # indexed alike

    return Kernel(advance, is_compiled=False, form=f"plain Python ({why})")


def _compile(numba: Any) -> Kernel:
    # Functions over names of their own, so that the plain ones stay as they are. Nothing in them allocates, and counting references to the
    # tables in each would take half of the time. Neither fastmath nor threads: a seed gives the same run on every machine.
    names = dict(vars(plant_kernel))
    jit = partial(numba.njit, _nrt=False)
    for function in plant_kernel.COMPILED[:-1]:
        names[function.__name__] = jit(_over(names, function))
    advance = _over(names, plant_kernel.advance)
    real = numba.float64
    table = [numba.types.Array(real, dimensions, "C") for dimensions in (3, 3, 3, 4, 2, 2, 2, 2)]
    signature = numba.boolean(*table, real, real, numba.intp)
    form = f"numba {numba.__version__}"
    try:
        return Kernel(jit(signature, cache=True)(advance), is_compiled=True, form=form)
    except RuntimeError as refused:
        # Neither beside this file nor in the user's own cache may anything be written.
        if "cannot cache" not in str(refused):
            raise
    return Kernel(jit(signature)(advance), is_compiled=True, form=f"{form}, not cached")


def _over(names: dict[str, Any], function: Callable[..., Any]) -> FunctionType:
    assert isinstance(function, FunctionType)
    return FunctionType(function.__code__, names, function.__name__)

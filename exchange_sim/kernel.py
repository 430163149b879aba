"""How kernels are compiled, in one place.

Cached on disk, so that a process starts fast. `error_model="numpy"`: a kernel never raises. No reference counting:
kernels allocate nothing and return no arrays, and without it a call that takes the world does not touch the counter of
every array in it (two atomic operations each; measured, that was half of the loop's time). `forceinline`: nor does it
copy the dozens of words such a tuple is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a pure function over scalars and arrays it is handed; it must not create arrays."""
    options: dict[str, Any] = {"cache": True, "error_model": "numpy", "_nrt": False, "forceinline": True}
    compiled: Function = njit(**options)(function)
    return compiled


def outlined(function: Function) -> Function:
    """Compile like `kernel`, but leave it to the compiler whether to copy the body into every caller.

    For what most requests skip: copied into the loop it would push what runs every time out of the caches.
    """
    options: dict[str, Any] = {"cache": True, "error_model": "numpy", "_nrt": False}
    compiled: Function = njit(**options)(function)
    return compiled

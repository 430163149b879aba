"""How kernels are compiled, in one place.

Cached on disk, so that a process starts fast. `error_model="numpy"`: a kernel never raises. No reference counting:
kernels allocate nothing and return no arrays, and without it a call that takes the world does not touch the counter of
every array in it (two atomic operations each; measured, that was half of the loop's time). `forceinline`: nor does it
copy the dozens of words such a tuple is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from numba import njit, types

Function = TypeVar("Function", bound=Callable[..., Any])


def _one_version(dispatcher: Any) -> Any:
    """Let calls from other kernels share one compiled version, whatever whole numbers they pass.

    To Numba 3 and 4 are types of their own, and int32 another than int64: each would be compiled again, and all that is
    called from there. Nothing is lost: arithmetic is in int64 anyway, and the body is copied into its callers, where
    constants are known (so not for `outlined`). A Numba that asks in another way just compiles more.
    """
    look_up = getattr(dispatcher, "get_call_template", None)
    if look_up is not None:

        def get_call_template(args: Sequence[Any], kws: Mapping[str, Any]) -> Any:
            return look_up([_widened(arg) for arg in args], {name: _widened(arg) for name, arg in kws.items()})

        dispatcher.get_call_template = get_call_template
    return dispatcher


def _widened(argument: Any) -> Any:
    plain = types.unliteral(argument)
    return types.int64 if plain in types.signed_domain else plain


def kernel(function: Function) -> Function:
    """Compile a pure function over scalars and arrays it is handed; it must not create arrays."""
    options: dict[str, Any] = {"cache": True, "error_model": "numpy", "_nrt": False, "forceinline": True}
    compiled: Function = _one_version(njit(**options)(function))
    return compiled


def outlined(function: Function) -> Function:
    """Compile like `kernel`, but leave it to the compiler whether to copy the body into every caller.

    For what most requests skip: copied into the loop it would push what runs every time out of the caches.
    """
    options: dict[str, Any] = {"cache": True, "error_model": "numpy", "_nrt": False}
    compiled: Function = njit(**options)(function)
    return compiled

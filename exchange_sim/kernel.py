"""How kernels are compiled, in one place.

Cached on disk, so that a process starts fast. `error_model="numpy"`: a kernel never raises. No reference counting:
kernels allocate nothing and return no arrays, and without it a call that takes the world does not touch the counter of
every array in it (two atomic operations each; measured, that was half of the loop's time). `forceinline`: nor does it
copy the dozens of words such a tuple is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, update_wrapper
from types import FunctionType
from typing import Any, TypeVar

from numba import config, njit, types

Function = TypeVar("Function", bound=Callable[..., Any])

_OUTLINED: dict[str, Any] = {"cache": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
_COPIED = {**_OUTLINED, "forceinline": True}


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


class _Inner:
    """A kernel as other kernels call it: without the two wrappers that unpack Python's objects and C's arguments.

    For kernels that take the world they are a third of the work of compiling, and most kernels are only ever called by
    kernels. Called from Python, as tests do, it is compiled once more, with wrappers and under a name of its own: the
    cache on disk goes by names. Numba takes the type of what compiled code names from `_numba_type_`.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        inner: Any = njit(**{**options, "no_cpython_wrapper": True})(function)
        if options is _COPIED:
            _one_version(inner)
        self._numba_type_ = inner._numba_type_
        self.inner = inner  # its type alone would not keep it alive
        self._function, self._options = function, options
        update_wrapper(self, function)

    @cached_property
    def outer(self) -> Any:
        """What Python calls."""
        function: Any = self._function
        copy = FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        copy.__qualname__ = f"{function.__qualname__}_from_python"
        return njit(**self._options)(copy)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.outer(*args, **named)


def kernel(function: Function) -> Function:
    """Compile a pure function over scalars and arrays it is handed; it must not create arrays."""
    return _compiled(function, _COPIED)


def entry(function: Function) -> Function:
    """Compile like `kernel`, but once for both: for what in one and the same run Python and kernels call."""
    compiled: Function = _one_version(njit(**_COPIED)(function))
    return compiled


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    if config.DISABLE_JIT:  # type: ignore[attr-defined]  # set when numba is imported
        return function
    compiled: Any = _Inner(function, options)
    called_like_it: Function = compiled
    return called_like_it


def outlined(function: Function) -> Function:
    """Compile like `kernel`, but leave it to the compiler whether to copy the body into every caller.

    For what most requests skip: copied into the loop it would push what runs every time out of the caches.
    """
    return _compiled(function, _OUTLINED)

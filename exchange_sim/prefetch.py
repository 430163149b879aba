"""Asking for memory before it is needed: loads from far-apart people overlap with work instead of stalling it."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

if config.DISABLE_JIT:  # type: ignore[attr-defined]  # set when numba is imported

    def prefetch(array: Any, at: int) -> None:
        """Nothing to ask for without compiled code."""

else:

    @intrinsic
    def prefetch(typing_context: Any, array: Any, at: Any) -> Any:
        """Bring the cache line where array[at] begins closer; a hint, so an index out of range does no harm."""
        if not isinstance(array, types.Array) or not isinstance(at, types.Integer):
            return None

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            view = context.make_array(array)(context, builder, arguments[0])
            step = cgutils.unpack_tuple(builder, view.strides)[0]
            offset = builder.mul(context.cast(builder, arguments[1], at, types.intp), step)
            bytes_type, flag = ir.IntType(8), ir.IntType(32)
            line = builder.gep(builder.bitcast(view.data, bytes_type.as_pointer()), [offset], source_etype=bytes_type)
            hint = ir.FunctionType(ir.VoidType(), [bytes_type.as_pointer(), flag, flag, flag])
            function = cgutils.get_or_insert_function(builder.module, hint, "llvm.prefetch.p0")
            builder.call(function, [line, flag(0), flag(3), flag(1)])  # to read, keep in every cache, data
            return context.get_dummy_value()

        return types.void(array, at), emit

"""What a person at a terminal is told of kernels being compiled."""

from __future__ import annotations

import pytest
from numba import config, njit

from experiments.kernel_cache import compiling, counting


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
def test_kernels_are_counted_as_they_are_compiled_and_not_when_they_are_there() -> None:
    @njit
    def called(a: int) -> int:
        return a - 1

    @njit
    def caller(a: int) -> int:
        return called(a) + 1  # type: ignore[no-any-return]

    told: list[int] = []
    with counting(told.append), compiling() as seconds:
        assert caller(7) == 7
        assert told == [1, 2]
        assert seconds() > 0.0
        assert caller(8) == 8
    assert told == [1, 2]
    assert caller(0.5) == 0.5  # outside: compiled, not told
    assert told == [1, 2]

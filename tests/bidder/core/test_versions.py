"""How often a kernel is compiled: once for kernels, whatever whole numbers they pass it, and once for Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import config, njit

from bidder.core import kernel as of_the_bidder
from exchange_sim import kernel as of_the_market


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("module", [of_the_bidder, of_the_market], ids=["bidder", "exchange_sim"])
def test_constants_and_narrow_numbers_share_one_version(module: Any) -> None:
    def plus(a: int, b: float) -> float:
        return a + b

    def unsigned(a: int) -> int:
        return a >> np.uint64(1)

    compiled, shifted = module.kernel(plus), module.kernel(unsigned)

    @njit
    def caller(narrow: Any, wide: Any) -> tuple[float, float, float, float, int]:
        return compiled(3, 0.5), compiled(4, 0.5), compiled(narrow, 0.5), compiled(a=wide, b=0.5), shifted(np.uint64(7))

    assert caller(np.int32(-5), 2**40) == (3.5, 4.5, -4.5, 2.0**40 + 0.5, 3)
    assert [str(signature) for signature in compiled.inner.nopython_signatures] == ["(int64, float64) -> float64"]
    assert [str(signature) for signature in shifted.inner.nopython_signatures] == ["(uint64,) -> uint64"]


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("module", [of_the_bidder, of_the_market], ids=["bidder", "exchange_sim"])
def test_what_kernels_call_is_compiled_for_python_only_when_python_calls_it(module: Any) -> None:
    offset = 5

    def moved(a: int, by: int = offset) -> int:
        """Told by the kernel too."""
        return a + by + offset

    compiled = module.kernel(moved)

    @njit
    def caller(a: int) -> int:
        return compiled(a, 1)  # type: ignore[no-any-return]

    assert (caller(2), len(compiled.inner.overloads)) == (8, 1)
    assert "outer" not in vars(compiled)
    assert (compiled(2, by=1), compiled(2), len(compiled.outer.overloads)) == (8, 12, 2)
    assert len(compiled.inner.overloads) == 1
    assert (compiled.__name__, compiled.__doc__) == ("moved", "Told by the kernel too.")


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("module", [of_the_bidder, of_the_market], ids=["bidder", "exchange_sim"])
def test_an_entry_is_compiled_once_for_kernels_and_python(module: Any) -> None:
    def doubled(a: int) -> int:
        return a + a

    compiled = module.entry(doubled)

    @njit
    def caller(a: int) -> int:
        return compiled(a) + compiled(3)  # type: ignore[no-any-return]

    assert (caller(2), compiled(2), len(compiled.overloads)) == (10, 4, 1)

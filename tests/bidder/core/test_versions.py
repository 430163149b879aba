"""How often a kernel is compiled: once, whatever whole numbers other kernels pass it."""

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
    assert [str(signature) for signature in compiled.nopython_signatures] == ["(int64, float64) -> float64"]
    assert [str(signature) for signature in shifted.nopython_signatures] == ["(uint64,) -> uint64"]

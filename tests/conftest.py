"""Fixtures shared by all tests, and how hard hypothesis tries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import experiments  # noqa: F401  before any kernel: it chooses the folder in which compiled kernels are kept

# Examples do not depend on the clock or on luck; with the compiler off every example costs a hundred times as much.
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "compiled", deadline=None, derandomize=True, max_examples=100, suppress_health_check=_QUIET, database=None
)
settings.register_profile(
    "interpreted", deadline=None, derandomize=True, max_examples=25, suppress_health_check=_QUIET, database=None
)
settings.load_profile("interpreted" if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0") else "compiled")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real logs and reference numbers; tests that need it skip where it is absent."""
    root = Path(os.environ.get("BIDLAB_SHARED", Path(__file__).parents[2] / "shared"))
    if not (root / "data").is_dir():
        pytest.skip("the folder of real logs (../shared/data, or $BIDLAB_SHARED/data) is absent")
    return root / "data"

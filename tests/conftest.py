"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real logs and reference numbers; tests that need it skip where it is absent."""
    root = Path(os.environ.get("BIDLAB_SHARED", Path(__file__).parents[2] / "shared"))
    if not (root / "data").is_dir():
        pytest.skip("the folder of real logs (../shared/data, or $BIDLAB_SHARED/data) is absent")
    return root / "data"

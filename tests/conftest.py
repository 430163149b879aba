"""Fixtures shared by all tests, and how hard hypothesis tries."""

from __future__ import annotations

import os
import signal
import threading
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


# A shell's background job ignores Ctrl-C, and so would the processes that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

FIRST = ("parity/test_parity", "dmp/", "experiments/replay/", "experiments/report/", "experiments/scenario/")
LAST = ("docs/", "test_docs", "test_imports", "test_layout", "exchange_sim/server/", "openrtb/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which two processes take the files (`make test`).

    First the file that compiles the kernels of nearly all others, and beside it files that need none of these: else
    both processes compile the same for a minute. Last the short ones, so that both end at the same time.
    """
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    file = item.path.relative_to(Path(__file__).parent).as_posix()
    groups = {**dict.fromkeys(FIRST, -len(FIRST)), **dict.fromkeys(LAST, 1)}
    return next((groups[start] + k for k, start in enumerate(groups) if file.startswith(start)), 0)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names of cases that are bytes or long: by their length, since both processes of `make test` must find the same.

    Packed bytes carry the second at which they were packed; pytest numbers cases of one name.
    """
    if isinstance(val, bytes) or (isinstance(val, str) and len(val) > 80):
        return f"{type(val).__name__} of {len(val)}"
    return None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real logs and reference numbers; tests that need it skip where it is absent."""
    root = Path(os.environ.get("BIDLAB_SHARED", Path(__file__).parents[2] / "shared"))
    if not (root / "data").is_dir():
        pytest.skip("the folder of real logs (../shared/data, or $BIDLAB_SHARED/data) is absent")
    return root / "data"

"""Where compiled kernels are kept between processes: a folder named after the source they were compiled from.

Numba looks only at the file of the outermost function to see whether a cached kernel is stale; ours call each other
across files. A folder per source state makes a stale kernel impossible.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGES = ("bidder", "dmp", "exchange_sim", "experiments")
KEEP_S = 14 * 86400
"""Folders of source states not used for this long are removed."""


def source_hash(root: Path) -> str:
    """Hash of every file that holds kernels, or the constants and types they are compiled with."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            source = file.read_bytes()
            if b"numba" in source or b".kernel import" in source or b"np.dtype" in source or file.name == "codes.py":
                digest.update(file.relative_to(root).as_posix().encode() + source)
    return digest.hexdigest()[:16]


def use_kernel_cache() -> None:
    """Point Numba at the folder for this source state; leaves its own choice alone where no folder can be written.

    Does nothing when NUMBA_CACHE_DIR is set or Numba is already imported.
    """
    if "NUMBA_CACHE_DIR" in os.environ or "numba" in sys.modules:
        return
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bidlab"
    folder = home / f"kernels-{source_hash(Path(__file__).parents[1])}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
    except OSError:
        return
    if os.access(folder, os.W_OK):
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
        _forget_old(home, folder)


@contextlib.contextmanager
def compiling() -> Iterator[Callable[[], float]]:
    """Inside it, and after: the seconds (by the clock) spent so far on compiling kernels, 0 when all were kept."""
    from numba.core import event

    with event.install_listener("numba:compile", event.TimingListener()) as timing:
        yield lambda: float(timing.duration) if timing.done else 0.0


@contextlib.contextmanager
def counting(told: Callable[[int], None]) -> Iterator[None]:
    """Inside it *told* is called whenever a kernel has been compiled, with their number so far; never when all were
    kept. It must not raise: Numba would lose that."""
    from numba.core import event

    class Counter(event.Listener):
        done = 0

        def on_start(self, started: event.Event) -> None:
            """Counted when it is done."""

        def on_end(self, ended: event.Event) -> None:
            self.done += 1
            told(self.done)

    with event.install_listener("numba:compile", Counter()):
        yield


def _forget_old(home: Path, current: Path) -> None:
    for other in home.glob("kernels-*"):
        with contextlib.suppress(OSError):  # another process may be removing it too
            if other != current and time.time() - other.stat().st_mtime > KEEP_S:
                shutil.rmtree(other, ignore_errors=True)

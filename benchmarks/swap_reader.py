"""A reader of the active audience that times every look-up, in a process of its own, while new versions come.

`python -m benchmarks.swap_reader FOLDER SWAPS ROUND_S` reads the identities in FOLDER/wanted.npy until it has swapped
SWAPS times, and prints one JSON object. Every other round is quiet: the same reader, but nothing is prepared or
swapped; what pauses it then is the machine's doing. Times in ns, told in µs.

On a machine with other work the scheduler, or the host of a virtual machine, takes the core away in mid-look-up. So
three readings are taken of each:

- `wall`: from beginning to end.
- `cpu`: the time the thread computed.
- `pause`: what the program is answerable for. Of a look-up that waited for nobody (no voluntary context switch) its CPU
  time; of one that did, for the interpreter's lock, the wall time less what the thread stood in the scheduler's queue
  for a core (`run_delay` of schedstat).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmp.active import Active
from dmp.store import Store

POLL_S = 0.02
LONG_NS = 1_000_000
"""A pause from here on is counted."""
NOTED_NS = 50_000
"""Look-ups that took less are counted only."""
# Called with the interpreter's lock held: a reading that let it go would hide what waits for it between look-ups.
_libc = ctypes.PyDLL(None)
_said = ctypes.create_string_buffer(81)


class Preparer(threading.Thread):
    """Looks for new versions and prepares them, while *on*."""

    def __init__(self, active: Active) -> None:
        super().__init__(daemon=True)
        self.active, self.on = active, threading.Event()

    def run(self) -> None:
        """For as long as the process lives."""
        while True:
            self.on.wait()
            self.active.prepare()
            time.sleep(POLL_S)


class Series:
    """What the look-ups of all rounds of one kind took."""

    def __init__(self) -> None:
        self.looked = 0
        self.swapped: list[tuple[int, int, int]] = []
        self.others: list[tuple[int, int, int]] = []

    def read(self, active: Active, key: NDArray[np.uint64], round_s: float, queue: int) -> None:
        """Look identities up for a round; *queue* is the thread's schedstat, open."""
        end_ns = time.perf_counter_ns() + int(round_s * 1e9)
        start_ns = 0
        while start_ns < end_ns:
            wanted = key[self.looked % len(key)]
            self.looked += 1
            queued_ns, waits = _queued_ns(queue), _waits()
            cpu_ns = time.thread_time_ns()
            start_ns = time.perf_counter_ns()
            swapped = active.swap()
            word = active.rows[active.row_ix(wanted), 0]
            wall_ns = time.perf_counter_ns() - start_ns
            cpu_ns = time.thread_time_ns() - cpu_ns
            assert word == 3
            if swapped or wall_ns > NOTED_NS:
                waited = _waits() > waits
                pause_ns = max(cpu_ns, wall_ns - (_queued_ns(queue) - queued_ns)) if waited else cpu_ns
                (self.swapped if swapped else self.others).append((wall_ns, cpu_ns, pause_ns))

    def told(self) -> dict[str, Any]:
        """The worst of each reading, of look-ups that swapped and of the others, and how many paused for long."""
        told: dict[str, Any] = {"look_ups": self.looked, "swaps": len(self.swapped)}
        for name, took in (("swapping", self.swapped), ("others", self.others)):
            each = np.array(took or [(0, 0, 0)])
            told[name] = dict(zip(("wall_us", "cpu_us", "pause_us"), (each.max(axis=0) / 1e3).tolist(), strict=True))
            told[name]["median_us"] = float(np.median(each[:, 0])) / 1e3
            told[name]["long"] = int((each[:, 2] > LONG_NS).sum())
        return told


def _queued_ns(queue: int) -> int:
    """How long the thread has stood in the queue for a core so far."""
    _libc.pread(queue, _said, 80, 0)
    return int(_said.value.split()[1])


def _waits() -> int:
    """How often the thread has given its core away so far, to wait for somebody."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def main() -> None:
    """Read, and tell."""
    folder, swaps, round_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    key = np.load(folder / "wanted.npy")
    active = Active(Store(folder))
    active.row_ix(key[0])  # compiles, as does the next line
    active.compile()
    queue = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    preparer = Preparer(active)
    preparer.start()
    quiet, swapping = Series(), Series()
    while len(swapping.swapped) < swaps:
        preparer.on.set()
        swapping.read(active, key, round_s, queue)
        preparer.on.clear()
        time.sleep(0.1)  # what is being prepared is finished
        active.swap()
        quiet.read(active, key, round_s, queue)
    print(json.dumps({"quiet": quiet.told(), "swaps": swapping.told()}))


if __name__ == "__main__":
    main()

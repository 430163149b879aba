"""Is the event loop late? Then requests are turned away at once rather than all answered late. Times in s."""

from __future__ import annotations

import asyncio
import logging
import math
import time

PULSE_S = 0.005
"""Distance of the moments at which the loop is expected."""
FEW = 16
"""So many requests after a pause of the machine are no crowd: they are answered, if their time allows it."""
_log = logging.getLogger("bidlab.shedding")


class Pulse:
    """A timer that notices how late it is called: as late as everything else that waits for its turn.

    `late` is true while the loop is later than *bound_s*, and until it has come back to half of it; a single pause of
    the machine with next to no requests in it does not count. But the loop takes all requests that have come before it
    looks at its timers again, and there may be many: so each one but the first few is held against the moment at which
    the timer is due, which is past when the loop has been busy for longer.
    """

    def __init__(self, bound_s: float) -> None:
        self.bound_s = bound_s
        self.late_s = 0.0
        """How late the last pulse was."""
        self.late = False
        self.due_s = math.inf
        """When the next pulse is expected, on the monotonic clock. What is read later has waited since then, as far as
        anybody here can tell."""
        self._was_late = False
        """Whether the last pulse was later than the bound."""
        self._read = 0
        """Requests since the last pulse."""
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self.due_s = time.monotonic() + PULSE_S
        self._read = 0
        self._handle = asyncio.get_running_loop().call_later(PULSE_S, self.beat)

    def stop(self) -> None:
        """End."""
        self.due_s = math.inf
        if self._handle is not None:
            self._handle.cancel()

    def sheds(self, came_s: float) -> bool:
        """Whether a request read at this moment has waited for so long that it is better turned away."""
        self._read += 1
        return self.late or (came_s - self.due_s > self.bound_s and self._read > FEW)

    def beat(self) -> None:
        """The timer's call: see how late it comes, and wait for the next."""
        self.late_s = time.monotonic() - self.due_s
        again, self._was_late = self._was_late, self.late_s > self.bound_s
        late = self.late_s > self.bound_s / 2.0 if self.late else self._was_late and (again or self._read > FEW)
        if late != self.late:
            self.late = late
            _log.info("shedding" if late else "taking requests again", extra={"data": {"late_s": self.late_s}})
        self.start()

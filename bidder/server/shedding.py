"""Is the event loop late? Then requests are turned away at once rather than all answered late. Times in s."""

from __future__ import annotations

import asyncio
import logging

PULSE_S = 0.005
"""Distance of the moments at which the loop is expected."""
_log = logging.getLogger("bidlab.shedding")


class Pulse:
    """A timer that notices how late it is called: as late as everything else that waits for its turn.

    `late` is true while the loop is later than *bound_s*, and until it has come back to half of it.
    """

    def __init__(self, bound_s: float) -> None:
        self.bound_s = bound_s
        self.late_s = 0.0
        """How late the last pulse was."""
        self.late = False
        self._due_s = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        loop = asyncio.get_running_loop()
        self._due_s = loop.time() + PULSE_S
        self._handle = loop.call_at(self._due_s, self._beat)

    def stop(self) -> None:
        """End."""
        if self._handle is not None:
            self._handle.cancel()

    def _beat(self) -> None:
        self.late_s = asyncio.get_running_loop().time() - self._due_s
        late = self.late_s > (self.bound_s / 2.0 if self.late else self.bound_s)
        if late != self.late:
            self.late = late
            _log.info("shedding" if late else "taking requests again", extra={"data": {"late_s": self.late_s}})
        self.start()

"""Ads that are billed when a page has shown them: the page calls us, and we call the bidder, once. Times in s."""

from __future__ import annotations

import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from exchange_sim.server.notifying import Notifier


class Renders:
    """Promised bills by token. `heard` counts calls: first, repeated, unknown (or too late)."""

    def __init__(self, notifier: Notifier, within_s: float, public_url: Callable[[], str]) -> None:
        self.heard: Counter[str] = Counter()
        self._notifier, self._within_s, self._public_url = notifier, within_s, public_url
        self._promised: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    def promise(self, burl: str) -> str:
        """The URL a page calls when the ad is shown, so that *burl* is called then."""
        now_s = time.monotonic()
        while self._promised and next(iter(self._promised.values()))[0] + self._within_s < now_s:
            self._promised.popitem(last=False)
        token = secrets.token_urlsafe(16)
        self._promised[token] = (now_s, burl)
        return f"{self._public_url()}/openrtb2/shown?t={token}"

    def shown(self, token: str) -> bool:
        """The ad is shown; False: nobody here knows of it. The second time changes nothing."""
        made_s, burl = self._promised.get(token, (-self._within_s, None))
        if token not in self._promised or made_s + self._within_s < time.monotonic():
            self.heard["unknown"] += 1
            return False
        self.heard["first" if burl is not None else "repeated"] += 1
        if burl is not None:
            self._promised[token] = (made_s, None)
            self._notifier.send("billing", burl)
        return True

"""Requests no exchange should send: sound ones with a value replaced, moved, doubled or dropped, or with other bytes.

Everything follows from a seed, so that a finding can be made again.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from exchange_sim.requests import CONSENT, NATIVE_REQUEST
from tests.bidder.server.test_app import REQUEST
from tests.openrtb.test_decode import SEEDS, SOUND

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 6, 15, 300, 250, 2**31, 2**53, 2**63, 10**400, -(2**63)),
    *(0.5, -0.0, 1e-320, 1e308, "", "1", "USD", "paper", "paper/top", "town", "p0", "deal-1", "cooks", CONSENT),
    *("\u0000", "\ud800", "é" * 50, "x" * 5000, "${AUCTION_PRICE}", "]]>&<'\"", "text/html", "video/mp4", "IAB1-1"),
    *([], {}, [None], [[]], {"": {}}, [1] * 300, ["a"] * 300, {str(k): k for k in range(100)}),
]
"""What a value is replaced by."""
LIKE = {kind: [value for value in VALUES if type(value) is kind] for kind in (int, float, str, list, dict)}
"""Those of the same kind."""
BYTES = b'{}[]",:0129-+eE.tnfu\x00\x7f\xc3\xff\\ \n'


def rich() -> dict[str, Any]:
    """A request in a place the bidder knows, with every kind of room and every rule a seller has."""
    film = {"mimes": ["video/mp4"], "minduration": 5, "maxduration": 30, "protocols": [2, 3, 7], "w": 640, "h": 360}
    rooms = [
        {"banner": {"w": 300, "h": 250, "format": [{"w": 728, "h": 90}], "battr": [1], "mimes": ["text/html"]}},
        {"video": film},
        {"audio": {"mimes": ["audio/mpeg"], "maxduration": 30, "rqddurs": [15, 30]}},
        {"native": {"request": NATIVE_REQUEST, "ver": "1.2"}},
    ]
    deal = {"id": "deal-1", "bidfloor": 0.5, "wseat": ["bidlab"], "wadomain": ["pans.example"]}
    imps = [
        {"id": str(k), "tagid": "paper/top", "secure": 1, "bidfloor": 0.2, "pmp": {"deals": [deal]}, **room}
        for k, room in enumerate(rooms)
    ]
    return {
        **REQUEST,
        "imp": imps,
        "cur": ["USD"],
        "badv": ["other.example"],
        "bcat": ["IAB25"],
        "acat": [],
        "bapp": ["com.other"],
        "wseat": ["bidlab"],
        "tmax": 500,
        "regs": {"gdpr": 1, "us_privacy": "1YNN", "gpp": "DBAA", "gpp_sid": []},
        "user": {"id": "p0", "consent": CONSENT, "eids": [{"source": "a", "uids": [{"id": "b"}]}]},
        "source": {"schain": {"complete": 1, "ver": "1.0", "nodes": [{"asi": "a", "sid": "b"}]}},
    }


def seeds() -> list[dict[str, Any]]:
    """Requests to begin with."""
    return [rich(), rich(), rich(), REQUEST, *(json.loads(body) for body in SOUND)]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in *value* and key or index in it."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inside:
        yield value, key
        yield from places(entry)


def changed(luck: random.Random, seed: dict[str, Any]) -> Any:
    """The request with some values changed, mostly one."""
    request = copy.deepcopy(seed)
    for _ in range(luck.choice((1, 1, 1, 2, 4))):
        found = list(places(request))
        if not found:
            return copy.deepcopy(luck.choice(VALUES))
        container, key = luck.choice(found)
        do = luck.random()
        if do < 0.5:  # by its like, so that more than the check of types is tried
            container[key] = copy.deepcopy(luck.choice(LIKE.get(type(container[key]), VALUES)))
        elif do < 0.65:
            container[key] = copy.deepcopy(luck.choice(VALUES))
        elif do < 0.75:
            other, other_key = luck.choice(found)
            container[key] = copy.deepcopy(other[other_key])
        elif do < 0.9:
            del container[key]
        elif isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        else:
            container[luck.choice(("id", "imp", "ext", "x", ""))] = copy.deepcopy(container[key])
    return request


def mangled(luck: random.Random, body: bytes) -> bytes:
    """The body with bytes changed, cut, doubled or put in."""
    data = bytearray(body)
    for _ in range(luck.choice((1, 1, 2, 4))):
        at = luck.randrange(len(data) + 1)
        until = at + luck.choice((0, 1, 1, 2, 8, 200))
        new = bytes(luck.choices(BYTES, k=luck.choice((0, 1, 1, 2, 4))))
        data[at:until] = new + data[at:until] * luck.choice((0, 0, 1, 2))
    return bytes(data)


def bodies(seed: int) -> Iterator[bytes]:
    """Bodies without end: six of ten changed by structure, three by bytes, one by both."""
    luck, requests = random.Random(seed), seeds()
    plain = [json.dumps(request).encode() for request in requests] + SEEDS
    while True:
        how = luck.random()
        body = json.dumps(changed(luck, luck.choice(requests))).encode() if how < 0.7 else luck.choice(plain)
        yield mangled(luck, body) if how >= 0.7 or how < 0.1 else body

"""Whether a request's person may be recognised: every law, every place it is written in; what is unread forbids."""

from __future__ import annotations

from typing import Any

import pytest

from bidder.codec import nbr_of
from bidder.consent import LONGEST, Gate
from bidder.core.codes import NO_CONSENT
from bidder.plan import TargetPlan
from exchange_sim.requests import CONSENT
from openrtb.messages import BidRequest, Device, Regs, RegsExt, User, UserExt
from tests.bidder.test_desk import desk, now, only_bid, plan, request
from tests.dmp.tc_strings import Core, encode, gpp

FULL = {1, 2, 3, 4, 7, 9, 10}
YES = encode(Core(purposes=FULL, vendors=[(10, 20)]))
NO = encode(Core(purposes={1, 2, 7}))


@pytest.mark.parametrize(
    ("user", "regs", "opens"),
    [
        ({}, None, True),
        ({}, {}, True),
        ({}, {"gdpr": 0}, True),
        ({}, {"gdpr": 1}, False),
        ({"consent": YES}, {"gdpr": 1}, True),
        ({"consent": CONSENT}, {"gdpr": 1}, True),
        ({"consent": NO}, {"gdpr": 1}, False),
        ({"consent": NO}, {"gdpr": 0}, True),
        ({"consent": NO}, None, False),
        ({"consent": YES}, None, True),
        ({"consent": YES[:-3]}, {"gdpr": 1}, False),
        ({"consent": ""}, {"gdpr": 1}, False),
        ({"ext": UserExt(consent=YES)}, {"ext": RegsExt(gdpr=1)}, True),
        ({"ext": UserExt(consent=NO)}, {"ext": RegsExt(gdpr=1)}, False),
        ({"consent": YES}, {"gdpr": 1, "coppa": 1}, False),
        ({}, {"coppa": 1}, False),
        ({}, {"coppa": 0}, True),
        ({}, {"us_privacy": "1YNN"}, True),
        ({}, {"us_privacy": "1---"}, True),
        ({}, {"us_privacy": "1YYN"}, False),
        ({}, {"us_privacy": "1yyn"}, False),
        ({}, {"ext": RegsExt(us_privacy="1YYN")}, False),
        ({}, {"us_privacy": "2YNN"}, False),
        ({}, {"us_privacy": "no"}, False),
        ({}, {"gpp": gpp({2: YES}), "gpp_sid": [2]}, True),
        ({}, {"gpp": gpp({2: YES}), "gpp_sid": [2], "gdpr": 1}, True),
        ({}, {"gpp": gpp({2: YES}), "gdpr": 1}, True),
        ({}, {"gpp": gpp({2: NO}), "gpp_sid": [2]}, False),
        ({"consent": NO}, {"gpp": gpp({2: YES}), "gpp_sid": [2]}, False),
        ({}, {"gpp_sid": [2]}, False),
        ({}, {"gpp": gpp({6: "1YNN"}), "gpp_sid": [6]}, True),
        ({}, {"gpp": gpp({6: "1YYN"}), "gpp_sid": [6]}, False),
        ({}, {"gpp": gpp({2: YES, 6: "1YNN"}), "gpp_sid": [2, 6]}, True),
        ({}, {"gpp": gpp({7: "BAAA"}), "gpp_sid": [7]}, False),
        ({}, {"gpp": gpp({7: "BAAA"}), "gpp_sid": []}, True),
        ({}, {"ext": RegsExt(gpp=gpp({2: YES}), gpp_sid=[2])}, True),
        ({}, {"ext": RegsExt(gpp="nonsense", gpp_sid=[2])}, False),
    ],
)
def test_who_may_be_recognised(user: dict[str, Any], regs: dict[str, Any] | None, opens: bool) -> None:
    asked = BidRequest("r", user=User("p0", **user), regs=None if regs is None else Regs(**regs))
    gate = Gate()
    assert [gate.open(asked), gate.open(asked)] == [opens, opens]


@pytest.mark.parametrize("device", [Device(lmt=1), Device(dnt=1)])
def test_a_device_may_say_no(device: Device) -> None:
    assert not Gate().open(BidRequest("r", device=device, user=User("p0", consent=YES), regs=Regs(gdpr=1)))


def test_a_listed_vendor_needs_its_own_consent() -> None:
    asked = BidRequest("r", user=User("p0", consent=YES), regs=Regs(gdpr=1))
    assert [Gate(vendor).open(asked) for vendor in (9, 10, 20, 21)] == [False, True, True, False]


def test_long_strings_are_read_and_not_kept() -> None:
    gate = Gate()
    assert not gate.open(BidRequest("r", user=User("p0", consent="C" * (LONGEST + 1)), regs=Regs(gdpr=1)))
    assert gate._verdicts == {}


def test_without_consent_no_row_of_a_person_is_used() -> None:
    """Targets that need the person are out, and others bid for a stranger: no cap, no exposure of that person's."""
    needs_person = desk(plan(target=TargetPlan(any_segments=("cooks",))))
    assert now(needs_person.bid(request(regs=Regs(gdpr=1)))).nbr == nbr_of(NO_CONSENT)
    assert needs_person.counts.unconsented == 1
    assert now(needs_person.bid(request(regs=Regs(gdpr=1), user=User("p0", consent=YES)))).nbr is None
    anybody = desk(plan())
    bid = only_bid(now(anybody.bid(request(regs=Regs(gdpr=1)))))
    made = anybody.made(bid.id)
    assert made is not None
    assert made.person_ix == -1

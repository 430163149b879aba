"""Bytes to messages: golden cases, the files of real requests, and that nothing but `InvalidMessage` is ever raised."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrtb import places
from openrtb.decode import decode_request, decode_response, encode_request, encode_response
from openrtb.errors import InvalidMessage
from openrtb.messages import Bid, BidRequest, BidResponse, Device, Geo, Imp, ImpExt, SeatBid
from openrtb.native import native_problems

CASES = Path(__file__).parents[1] / "cases" / "openrtb"


def cases(name: str) -> list[Any]:
    """The golden cases of a file, named."""
    rows = json.loads((CASES / f"{name}.json").read_text("utf-8"))
    return [pytest.param(row, id=row["case"].replace(" ", "-")) for row in rows]


def body_of(case: dict[str, Any]) -> bytes:
    """A case's request as bytes."""
    text: str = case["text"] if "text" in case else json.dumps(case["body"])
    return text.encode()


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    """A file of real messages."""
    return [json.loads(line) for line in (folder / "openrtb" / name).read_text("utf-8").splitlines()]


def facts(request: BidRequest) -> dict[str, Any]:
    """What every place that moved says."""
    chain = places.schain(request)
    geo = None if request.device is None else request.device.geo
    return {
        "gdpr": places.gdpr(request),
        "us_privacy": places.us_privacy(request),
        "consent": places.consent(request),
        "coppa": places.coppa(request),
        "eids": [uid.id for eid in places.eids(request) for uid in eid.uids],
        "schain": [] if chain is None else [node.asi for node in chain.nodes],
        "tmax_ms": places.tmax_ms(request),
        "position": None if geo is None else places.position(geo),
    }


UNSAID = facts(BidRequest("r"))


@pytest.mark.parametrize("case", cases("accepted"))
def test_what_the_specification_allows(case: dict[str, Any]) -> None:
    assert facts(decode_request(body_of(case))) == {**UNSAID, **case["places"]}


@pytest.mark.parametrize("case", cases("refused"))
def test_what_it_forbids_is_refused_with_path_and_rule(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessage) as refused:
        decode_request(body_of(case))
    assert refused.value.path == case["path"]
    assert case["rule"] in refused.value.rule


@pytest.mark.parametrize("case", cases("native"))
def test_a_broken_native_request_costs_its_impression_only(case: dict[str, Any]) -> None:
    problems = list(native_problems(decode_request(body_of(case))))
    assert [(i, problem.path) for i, problem in problems] == ([(0, case["problem"])] if case["problem"] else [])


@pytest.mark.parametrize("depth", [100, 100_000])
def test_depth_is_no_way_to_break_it(depth: int) -> None:
    deep = b'{"id":"r","imp":[{"id":"1","banner":{}}],"x":' + b"[" * depth + b"]" * depth + b"}"
    try:
        assert decode_request(deep).id == "r"
    except InvalidMessage:
        assert depth == 100_000


NULLS: dict[str, Any] = {
    **{"id": "r", "at": None, "test": None, "tmax": None, "allimps": None, "bcat": None, "regs": None},
    "imp": [
        {
            **{"id": "1", "bidfloor": None, "bidfloorcur": None, "ext": {"vendor": None}},
            "banner": {"w": None, "h": None, "format": [{"w": 300, "h": 250, "wmin": None}]},
            "video": {"mimes": ["video/mp4"], "minduration": None},
            "pmp": {"private_auction": None, "deals": None},
        }
    ],
}


def test_a_null_is_a_field_that_is_not_there() -> None:
    request = decode_request(json.dumps(NULLS).encode())
    assert (request.at, request.test) == (2, 0)
    imp = request.imp[0]
    assert (imp.bidfloor, imp.bidfloorcur) == (0.0, "USD")
    assert imp.pmp is not None
    assert imp.pmp.deals == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"id": None}, ""),
        ({"imp": None}, "imp"),
        ({"imp": [None]}, "imp[0]"),
        ({"imp": [{"id": "1", "banner": None}]}, "imp[0]"),
        ({"imp": [{"id": "1", "video": {"mimes": None}}]}, "imp[0].video.mimes"),
        ({"bcat": [None]}, "bcat[0]"),
        ({"badv": "x"}, "badv"),
    ],
)
def test_what_is_needed_is_no_null(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        decode_request(json.dumps({**NULLS, **changes}).encode())
    assert refused.value.path == path


def test_nulls_at_any_depth() -> None:
    deep = b'{"id":"r","at":null,"imp":[{"id":"1","banner":{}}],"x":' + b"[" * 900 + b"]" * 900 + b"}"
    with contextlib.suppress(InvalidMessage):
        assert decode_request(deep).at == 2


def test_an_integer_no_float_can_hold_is_no_infinity() -> None:
    with pytest.raises(InvalidMessage) as refused:
        decode_request(b'{"id":"r","imp":[{"id":"1","banner":{}}],"device":{"pxratio":' + b"9" * 400 + b"}}")
    assert refused.value.path == "device.pxratio"


def test_our_own_messages_survive_the_wire() -> None:
    imp = Imp("1", bidfloor=0.5, bidfloorcur="EUR", ext=ImpExt("mobile", [1, 2]))
    request = BidRequest("r", [imp], device=Device(2, Geo(1.5, 2.5)), tmax=80, cur=["EUR"])
    assert msgspec.json.decode(encode_request(request), type=BidRequest) == request
    response = BidResponse("r", [SeatBid([Bid("7", "1", 1.25, burl="https://x.example/?p=${AUCTION_PRICE}")])], "EUR")
    assert decode_response(encode_response(response)) == response
    assert json.loads(encode_response(response))["cur"] == "EUR"


@pytest.mark.parametrize(
    ("response", "path"),
    [
        ({"id": "r", "seatbid": [{"bid": []}]}, "seatbid[0].bid"),
        ({"id": "r", "seatbid": [{"bid": [{"id": "1", "impid": "1", "price": -1}]}]}, "seatbid[0].bid[0].price"),
        ({"id": "r", "seatbid": [{"bid": [{"id": "1", "impid": "", "price": 1}]}]}, "seatbid[0].bid[0].impid"),
        ({"id": "r", "seatbid": [{"bid": [{"id": "1", "impid": "1", "price": 1}] * 2}]}, "seatbid[0].bid[1].id"),
        ({"id": "r", "cur": "euro"}, "cur"),
        ({"seatbid": []}, ""),
    ],
)
def test_responses_are_checked_too(response: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        decode_response(json.dumps(response).encode())
    assert refused.value.path == path


def test_every_real_request_decodes(shared_data: Path) -> None:
    rows = rows_of(shared_data, "requests.jsonl")
    refused = {}
    for row in rows:
        try:
            decode_request(row["body"].encode())
        except InvalidMessage as error:
            refused[row["name"]] = str(error)
    assert len(rows) == 159
    assert refused == {}


def test_every_broken_request_is_refused_or_its_native_impression_is(shared_data: Path) -> None:
    accepted = []
    for row in rows_of(shared_data, "invalid-requests.jsonl"):
        try:
            problems = list(native_problems(decode_request(row["body"].encode())))
        except InvalidMessage:
            continue
        if row["scope"] == "generic-openrtb" and not problems:
            accepted.append(row["name"])
    assert accepted == []


def test_real_responses_are_accepted_or_refused_for_the_missing_id(shared_data: Path) -> None:
    rows = rows_of(shared_data, "responses.jsonl")
    refused = []
    for row in rows:
        try:
            decode_response(row["body"].encode())
        except InvalidMessage as error:
            refused.append(error.rule)
    assert refused == ["object missing required field `id`"] * 4
    for row in rows_of(shared_data, "invalid-responses.jsonl"):
        with pytest.raises(InvalidMessage):
            decode_response(row["body"].encode())


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
SOUND = [body_of(row.values[0]) for name in ("accepted", "native") for row in cases(name)]
SEEDS = SOUND + [body_of(row.values[0]) for row in cases("refused")]


def never_breaks(body: bytes) -> None:
    """Whatever it is, it is a request or an `InvalidMessage`; what was read can be used and written again."""
    try:
        request = decode_request(body)
    except InvalidMessage:
        return
    facts(request)
    list(native_problems(request))
    encode_request(request)


@given(ANY_JSON)
def test_any_json(value: Any) -> None:
    never_breaks(json.dumps(value).encode())


@st.composite
def changed_requests(draw: st.DrawFn) -> bytes:
    """A golden case in which some value somewhere is replaced by any other."""
    value = json.loads(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 3))):
        place = value
        while isinstance(place, dict | list) and place:
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if draw(st.booleans()) or not isinstance(place[key], dict | list):
                place[key] = draw(ANY_JSON)
                break
            place = place[key]
    return json.dumps(value).encode()


@given(changed_requests())
def test_any_value_in_any_place(body: bytes) -> None:
    never_breaks(body)


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=3)), min_size=1, max_size=4))
def test_any_bytes_in_any_place(seed: bytes, changes: list[tuple[int, bytes]]) -> None:
    body = seed
    for at, piece in changes:
        cut = at % (len(body) + 1)
        body = body[:cut] + piece + body[cut + at % 3 :]
    never_breaks(body)
    with contextlib.suppress(InvalidMessage):
        decode_response(body)

"""Bytes to messages and back: JSON by msgspec, then the checks of `openrtb.checks`.

Unknown fields and codes pass; wrong types, NaN, infinities and numbers no float can hold do not. A null stands for a
field that is not there, as Go and Java write it. Whatever the bytes are, the only error is `InvalidMessage`.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from openrtb.checks import check_request, check_response
from openrtb.errors import InvalidMessage
from openrtb.messages import BidRequest, BidResponse

VERSION = "2.6"
"""What goes into the header `x-openrtb-version`."""
Message = TypeVar("Message")

_REQUEST = msgspec.json.Decoder(BidRequest)
_RESPONSE = msgspec.json.Decoder(BidResponse)
_ENCODER = msgspec.json.Encoder()
_ANYTHING = msgspec.json.Decoder()
_PLACE = re.compile(r"^(?P<rule>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)


def decode_request(body: bytes) -> BidRequest:
    """The bid request in *body*; raises `InvalidMessage`."""
    request = read_json(_REQUEST, body)
    check_request(request)
    return request


def decode_response(body: bytes) -> BidResponse:
    """The bid response in *body*; raises `InvalidMessage`. Whether it answers a request is not asked here."""
    response = read_json(_RESPONSE, body)
    check_response(response)
    return response


def encode_response(response: BidResponse) -> bytes:
    """A bid response as JSON."""
    return _ENCODER.encode(response)


def encode_request(request: BidRequest) -> bytes:
    """A bid request as JSON."""
    return _ENCODER.encode(request)


def read_json(decoder: msgspec.json.Decoder[Message], body: bytes | str, prefix: str = "") -> Message:
    """What *decoder* makes of *body*; raises `InvalidMessage` with *prefix* before the path."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError) as error:
        # Most messages hold no null where the types have none, so only those pay for looking.
        if "got `null`" not in str(error):
            raise _invalid(error, prefix) from None
    except RecursionError:
        raise InvalidMessage(prefix, "is nested too deeply") from None
    try:
        return decoder.decode(_ENCODER.encode(without_nulls(_ANYTHING.decode(body))))
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise _invalid(error, prefix) from None
    except RecursionError:
        raise InvalidMessage(prefix, "is nested too deeply") from None


def without_nulls(value: Any) -> Any:
    """*value* without members that are null; what is in an `ext` stays, as only its vendor knows what it means."""
    if isinstance(value, dict):
        return {k: part if k == "ext" else without_nulls(part) for k, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def _invalid(error: Exception, prefix: str) -> InvalidMessage:
    found: Any = _PLACE.match(str(error))
    path, rule = found["path"] or "", found["rule"]
    joint = "." if prefix and path and not path.startswith("[") else ""
    return InvalidMessage(f"{prefix}{joint}{path}", rule[:1].lower() + rule[1:])

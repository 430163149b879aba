"""Whether a request allows its person to be recognised. Strict: what cannot be read allows nothing.

TCF and GPP strings are read by `dmp.consent`, so that a string means the same to the bidder and to the platform.
"""

from __future__ import annotations

import re

from dmp.consent import ACTIVATION, mask_of_string
from dmp.gpp import gpp_sections
from openrtb.messages import BidRequest
from openrtb.places import consent, coppa, gdpr, gpp, us_privacy

TCF_EU, USP_V1 = 2, 6
"""GPP sections we can read; another one that applies allows nothing."""
REMEMBERED, LONGEST = 8192, 2000
"""Verdicts that are kept, and the length of a string (characters) from which its verdict is not."""
_USP = re.compile(r"1[YNyn-]{3}")


class Gate:
    """Decides for one buyer; *vendor_id* is its number in the global vendor list; None: no vendor is asked for."""

    def __init__(self, vendor_id: int | None = None) -> None:
        self._vendor_id = vendor_id
        self._verdicts: dict[str, bool] = {}

    def open(self, request: BidRequest) -> bool:
        """Whether segments, caps and position of the request's person may be used.

        Not for children (`coppa`), not where the device says no (`lmt`, `dnt`), not after an opt-out of sale
        (`us_privacy`), and under European law (`gdpr` 1, or a consent string without that flag) not without consent to
        storing, profiling and personalising.
        """
        device, regs = request.device, request.regs
        if device is not None and (device.lmt == 1 or device.dnt == 1):
            return False
        text = None if request.user is None else consent(request)
        if regs is None:
            return not text or self._grants(text)
        if coppa(request):
            return False
        sold = us_privacy(request)
        if sold and not _unsold(sold):
            return False
        european = gdpr(request)
        string, sections = gpp(request)
        if sections and not _readable(string, sections):
            return False
        if TCF_EU in sections or (european == 1 and not text and string):
            return bool(string) and self._grants(string or "") and (not text or self._grants(text))
        if european == 1 or (european is None and text):
            return bool(text) and self._grants(text or "")
        return True

    def _grants(self, text: str) -> bool:
        """Whether the string grants what a segment in an ad needs."""
        verdict = self._verdicts.get(text)
        if verdict is None:
            if len(self._verdicts) >= REMEMBERED:
                self._verdicts.clear()
            verdict = mask_of_string(text, self._vendor_id) & ACTIVATION == ACTIVATION
            if len(text) <= LONGEST:
                self._verdicts[text] = verdict
        return verdict


def _readable(string: str | None, sections: list[int]) -> bool:
    """Whether all sections that apply can be read here, and the American one opts out of nothing."""
    for section in sections:
        if section == USP_V1:
            if not _unsold(gpp_sections(string).get(USP_V1, "")):
                return False
        elif section != TCF_EU:
            return False
    return True


def _unsold(text: str) -> bool:
    """Whether a US privacy string is one and opts out of nothing."""
    return _USP.fullmatch(text) is not None and text[2] not in "Yy"

"""Several deals in one impression: exchanges offer as many as fit, and a bid names one of them.

The kernels know an impression with one deal, so one with several is looked at once per deal. Only deals a campaign of
ours buys in count: most impressions have none or one, and are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from openrtb.messages import Deal, Imp


def by_deal(imp: Imp, bought: frozenset[str], open_to_us: Callable[[Deal], bool]) -> Sequence[Imp]:
    """*imp* once for each deal in it that campaigns buy in (*bought*: ids) and that is *open_to_us*, alone in it.

    Just *imp* itself when it has one deal or none of these.
    """
    if imp.pmp is None or len(imp.pmp.deals) < 2:
        return (imp,)
    ours = {deal.id: deal for deal in reversed(imp.pmp.deals) if deal.id in bought and open_to_us(deal)}
    return [replace(imp, pmp=replace(imp.pmp, deals=[deal])) for deal in reversed(ours.values())] or (imp,)

"""One page's request from the first bidder asked to the last notice: ask, check, clear, substitute, tell, answer.

What leaves is a bid response a page can render: prices are what the seller earns, notice URLs are gone, because the
exchange calls them itself. Times in s, prices in nanos per impression inside and CPM on the wire.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any, NamedTuple

import aiohttp
import msgspec

from exchange_sim.server.answers import Answer, Dropped, Taken, read_answer
from exchange_sim.server.asking import ask
from exchange_sim.server.checks import Refused, Sound, check_bid, check_markup
from exchange_sim.server.clearing import Cleared, Offer, settle
from exchange_sim.server.filling import Wanted
from exchange_sim.server.markup import sizes_of, type_name
from exchange_sim.server.notifying import Notifier
from exchange_sim.server.renders import Renders
from exchange_sim.server.rules import BidderAddress, Rules
from openrtb.codes import MarkupType
from openrtb.decode import decode_request
from openrtb.macros import Settled, substitute_markup, substitute_url
from openrtb.messages import BidRequest, Imp
from openrtb.money import nanos_to_cpm
from openrtb.places import tmax_ms

SHORTEST_S = 0.001
_ENCODER = msgspec.json.Encoder()


class Entry(NamedTuple):
    """A sound bid and whose it is."""

    bidder_ix: int
    taken: Taken
    sound: Sound


class Asked(NamedTuple):
    """What one bidder made of it."""

    bidder_ix: int
    answer: Answer
    took_s: float


class Auctioneer:
    """Runs auctions under one set of rules; `dropped` counts bids by bidder and loss code."""

    def __init__(self, rules: Rules, http: aiohttp.ClientSession, notifier: Notifier, renders: Renders) -> None:
        self.rules = rules
        self.dropped: Counter[tuple[str, int]] = Counter()
        self.timeouts: Counter[str] = Counter()
        self.sold = 0
        self._http, self._notifier, self._renders = http, notifier, renders

    async def run(self, plain: dict[str, Any], wanted: dict[str, Wanted], came_s: float) -> dict[str, Any]:
        """Sell the impressions of a request that has been made whole; returns the response as plain data.

        Raises `openrtb.errors.InvalidMessage` when filling in has made it invalid, which is the rules' fault.
        """
        rules = self.rules
        request = decode_request(_ENCODER.encode(plain))
        asked_ms = tmax_ms(request)
        limit_s = rules.tmax_s if asked_ms is None else min(asked_ms / 1000.0, rules.tmax_s)
        until_s = came_s + max(SHORTEST_S, limit_s - rules.network_s)
        asked = await asyncio.gather(
            *(
                self._ask(k, bidder, plain, wanted, until_s)
                for k, bidder in enumerate(rules.bidders)
                if any(_wants(bidder, want) for want in wanted.values())
            )
        )
        return await _Sale(self, request, list(asked), until_s).response()

    async def _ask(
        self, k: int, bidder: BidderAddress, plain: dict[str, Any], wanted: dict[str, Wanted], until_s: float
    ) -> Asked:
        left_s = max(SHORTEST_S, until_s - time.monotonic())
        imps = [
            _for_bidder(imp, bidder, wanted[imp["id"]]) for imp in plain["imp"] if _wants(bidder, wanted[imp["id"]])
        ]
        body = _ENCODER.encode({**plain, "imp": imps, "tmax": max(1, int(left_s * 1000.0))})
        reply = await ask(self._http, bidder, body, left_s)
        if reply.problem is not None:
            self.timeouts[bidder.name] += reply.problem == "timeout"
            return Asked(k, Answer([], [], reply.problem), reply.took_s)
        return Asked(k, read_answer(bidder.name, reply.status, reply.body, plain["id"], plain["cur"]), reply.took_s)


class _Sale:
    """The rest of one auction, once bidders have answered."""

    def __init__(self, house: Auctioneer, request: BidRequest, asked: list[Asked], until_s: float) -> None:
        self._house, self._rules, self._notifier = house, house.rules, house._notifier
        self._request, self._asked, self._until_s = request, asked, until_s
        self._imps = {imp.id: imp for imp in request.imp}
        self._imp_ts_ms = int(time.time() * 1000.0)
        self._dropped: list[Dropped] = []
        self._seats: dict[str, list[dict[str, Any]]] = {}

    async def response(self) -> dict[str, Any]:
        entries = [entry for asked in self._asked for entry in self._sound(asked)]
        for imp in self._request.imp:
            mine = [entry for entry in entries if entry.taken.bid.impid == imp.id]
            while mine:
                mine = await self._clear(imp, mine)
        names = self._rules.bidders
        ext: dict[str, Any] = {
            "responsetimemillis": {
                names[asked.bidder_ix].name: round(asked.took_s * 1000.0, 3) for asked in self._asked
            },
        }
        problems = {names[a.bidder_ix].name: [{"message": a.answer.problem}] for a in self._asked if a.answer.problem}
        if problems:
            ext["errors"] = problems
        if self._dropped:
            ext["bidlab_dropped"] = [dropped._asdict() for dropped in self._dropped]
        seats = [{"seat": seat, "bid": bids} for seat, bids in self._seats.items()]
        return {"id": self._request.id, "seatbid": seats, "cur": self._rules.currency, "ext": ext}

    def _sound(self, asked: Asked) -> list[Entry]:
        """The bids of one answer that may take part; the others are told why not."""
        name = self._rules.bidders[asked.bidder_ix].name
        for dropped, raw in asked.answer.dropped:
            self._drop(dropped, raw.get("lurl"), Settled(self._request.id, dropped.imp_id, loss=dropped.loss))
        sound = []
        for taken in asked.answer.bids:
            checked = check_bid(taken, self._request, self._imps, self._rules.currency)
            if isinstance(checked, Refused):
                self._refuse(name, taken, checked)
            else:
                sound.append(Entry(asked.bidder_ix, taken, checked))
        return sound

    async def _clear(self, imp: Imp, entries: list[Entry]) -> list[Entry]:
        """Sell one impression; returns who is to try again when the winner had no markup after all."""
        offers = [_offer(entry) for entry in entries]
        at, increment = int(self._request.at), self._rules.increment_nanos
        cleared = settle(offers, at, increment, deals_first=self._rules.deals_first)
        winner = entries[cleared.winner]
        values = self._settled(winner, cleared, cleared.winner).values()
        adm, bid = winner.taken.bid.adm, winner.taken.bid
        if not adm:
            assert bid.nurl is not None
            left_s = max(SHORTEST_S, self._until_s - time.monotonic())
            adm = await self._notifier.fetch("win", substitute_url(bid.nurl, values), left_s)
            fetched = msgspec.structs.replace(bid, adm=adm)
            refused = check_markup(fetched, imp, winner.sound.mtype)
            if refused is not None:
                name = self._rules.bidders[winner.bidder_ix].name
                self._refuse(name, winner.taken, refused)
                return [entry for entry in entries if entry is not winner]
        else:
            self._tell("win", bid.nurl, values)
        self._house.sold += 1
        self._sell(imp, winner, cleared.price_nanos, substitute_markup(adm or "", values), values)
        for i, entry in enumerate(entries):
            if i != cleared.winner:
                self._tell("loss", entry.taken.bid.lurl, self._settled(entry, cleared, i).values())
        return []

    def _sell(self, imp: Imp, winner: Entry, price_nanos: int, adm: str, values: dict[str, str]) -> None:
        """Put the winner into the response and see to its bill."""
        name, bid = self._rules.bidders[winner.bidder_ix].name, winner.taken.bid
        sold = {key: value for key, value in winner.taken.raw.items() if key not in ("nurl", "burl", "lurl")}
        ext = dict(sold.get("ext") or {}) if isinstance(sold.get("ext") or {}, dict) else {}
        kind = type_name(winner.sound.mtype)
        ext["prebid"] = {"type": kind, "meta": {"advertiserDomains": bid.adomain or [], "mediaType": kind}}
        sold |= {"price": nanos_to_cpm(price_nanos), "adm": adm, "mtype": winner.sound.mtype, "ext": ext}
        if winner.sound.mtype == MarkupType.BANNER and imp.banner is not None and bid.w is None:
            sizes = sizes_of(imp.banner)
            if sizes and sizes[0].w and sizes[0].h:
                sold |= {"w": sizes[0].w, "h": sizes[0].h}
        if bid.burl and self._request.test != 1:
            url = substitute_url(bid.burl, values)
            if self._rules.billing == "render":
                sold["burl"] = self._house._renders.promise(url)
            else:
                self._notifier.send("billing", url)
        self._seats.setdefault(name, []).append(sold)

    def _settled(self, entry: Entry, cleared: Cleared, i: int) -> Settled:
        """What the auction made of offer *i*: losers learn the clearing price too."""
        bid = entry.taken.bid
        return Settled(
            auction_id=self._request.id,
            imp_id=bid.impid,
            bid_id=entry.taken.response_id,
            seat_id=entry.taken.seat,
            ad_id=bid.adid,
            price_nanos=cleared.price_nanos,
            bid_nanos=entry.sound.bid_nanos,
            currency=self._rules.currency,
            loss=cleared.losses[i],
            min_to_win_nanos=cleared.min_to_win_nanos[i],
            multiplier=1,
            imp_ts_ms=self._imp_ts_ms,
        )

    def _refuse(self, name: str, taken: Taken, refused: Refused) -> None:
        bid, loss = taken.bid, int(refused.loss)
        settled = Settled(
            *(self._request.id, bid.impid, taken.response_id, taken.seat, bid.adid),
            currency=self._rules.currency,
            loss=loss,
            imp_ts_ms=self._imp_ts_ms,
        )
        self._drop(Dropped(name, bid.impid, bid.id, loss, refused.rule), bid.lurl, settled)

    def _drop(self, dropped: Dropped, lurl: Any, settled: Settled) -> None:
        self._dropped.append(dropped)
        self._house.dropped[dropped.bidder, dropped.loss] += 1
        self._tell("loss", lurl if isinstance(lurl, str) else None, settled.values())

    def _tell(self, kind: str, url: str | None, values: dict[str, str]) -> None:
        """A trial is told to nobody."""
        if url and self._request.test != 1:
            self._notifier.send(kind, substitute_url(url, values))


def _offer(entry: Entry) -> Offer:
    deal, sound = entry.sound.deal, entry.sound
    at = None if deal is None or deal.at is None else int(deal.at)
    return Offer(sound.bid_nanos, sound.floor_nanos, entry.bidder_ix, deal is not None, at)


def _wants(bidder: BidderAddress, want: Wanted) -> bool:
    return want.params is None or bidder.name in want.params


def _for_bidder(imp: dict[str, Any], bidder: BidderAddress, want: Wanted) -> dict[str, Any]:
    """The impression with the page's parameters for this bidder, where bidders look for them."""
    params = None if want.params is None else want.params.get(bidder.name)
    return {**imp, "ext": {**(imp.get("ext") or {}), "bidder": params}} if params else imp

"""The data dictionary: every table a run writes, every column with its type, unit and meaning.

`docs/data.md` is made from it and a test holds each run's Parquet files against it. Columns whose name begins with
``truth_`` are known only because the market is simulated; no bidder and no audience platform ever reads them.
"""

from __future__ import annotations

from typing import NamedTuple

from bidder.core.codes import OUTRANKED, REASONS


class Column(NamedTuple):
    """One column: Arrow type name, unit ("" where there is none) and meaning."""

    name: str
    type: str
    unit: str
    meaning: str


class Table(NamedTuple):
    """One table: what a row is, and its columns in order."""

    row: str
    columns: tuple[Column, ...]


FATES = (*REASONS[:OUTRANKED], "timed_out", "outbid", "won")
"""Every request ends in exactly one of these; they add up to the requests seen. Order: how far the request came."""

FATE_MEANINGS = {
    "not_targeted": "no running campaign wants this place, format, device, hour, publisher, deal or audience",
    "no_consent": "a campaign would want it, but the person may not be recognised",
    "bad_bid": "a campaign's own strategy raised, or returned NaN, a negative number or more than the bid's max",
    "no_value": "a campaign wants it, but its bid comes to zero",
    "below_floor": "the best bid was below the seller's floor",
    "budget_gone": "a campaign wants it, but its total or daily budget cannot take the next bid",
    "paced": "a campaign wants it, but it is ahead of its spending plan",
    "capped": "a campaign wants it, but the person has seen it often enough",
    "timed_out": "the answer came after tmax",
    "outbid": "a rival bid more",
    "won": "bought",
}

ID, I64, F64, BOOL = "string", "int64", "double", "bool"

_BIDS = (
    Column("bids", I64, "", "bids that came in time"),
    Column("bid_nanos", I64, "nanos", "their sum"),
    Column("won", I64, "", "of them, won"),
    Column("paid_nanos", I64, "nanos", "what those cost"),
    Column("lost_to_higher_bid", I64, "", "lost to a higher bid (loss code 102)"),
    Column("lost_below_floor", I64, "", "lost because below the floor (loss code 100)"),
    Column("lost_to_deal", I64, "", "lost because a deal came before (loss code 103)"),
    Column("lost_refused", I64, "", "lost because seller or campaign refuses what the other declares (loss code 200)"),
    Column("lost_stopped", I64, "", "lost because ad or page was stopped while it loaded (loss code 202)"),
    Column("lost_elsewhere", I64, "", "won its exchange, and the publisher sold through another one (loss code 102)"),
    Column("lost_seat_barred", I64, "", "lost because its seat may not buy there (loss code 104)"),
    Column("lost_advertiser_shown", I64, "", "lost because the page shows its advertiser already (loss code 205)"),
    Column("lost_category_shown", I64, "", "lost because the page shows an ad of its category already (loss code 209)"),
    Column("short_nanos", I64, "nanos", "by how much the lost ones missed the price to beat, summed (ties: 0)"),
)


def _safety(side: str, seller: Column) -> Table:
    """The table of blocks as one side sees it."""
    return Table(
        f"a campaign and a {side} that had to do with each other; none without verification",
        (
            Column("campaign_id", ID, "", "campaign"),
            seller,
            Column("kept_out", I64, "", "requests it did not bid on because one refuses what the other declares"),
            Column("refused_ads", I64, "", "bids the exchange refused because the publisher refuses the declared ad"),
            Column("refused_pages", I64, "", "bids it refused because the campaign refuses the declared pages"),
            Column("stopped_ads", I64, "", "bids that won and whose ad was stopped while it loaded: nothing was paid"),
            Column("stopped_pages", I64, "", "the same because of the page"),
            Column("impressions", I64, "", "impressions bought"),
            Column("viewed", I64, "", "of them, could be viewed"),
            Column("refunded", I64, "", "of them, found out to be a bot's"),
            Column("refunded_nanos", I64, "nanos", "what those had cost, before fees"),
            Column("truth_mistaken_ads", I64, "", "of stopped_ads, those nothing was wrong with"),
            Column("truth_mistaken_pages", I64, "", "of stopped_pages, those nothing was wrong with"),
            Column("truth_bad_ads", I64, "", "impressions of ads that hid what the publisher refuses"),
            Column("truth_bad_pages", I64, "", "impressions on pages that hid what the campaign refuses"),
            Column("truth_bots", I64, "", "impressions that bots saw"),
        ),
    )


TABLES: dict[str, Table] = {
    "exposures": Table(
        "an impression bought",
        (
            Column("auction_ix", I64, "", "number of the request within the run, from 0"),
            Column("page_view", I64, "", "the same for all requests of one page view: the number of the first"),
            Column("time_s", F64, "s", "time of the auction since the scenario's start"),
            Column("campaign_id", ID, "", "campaign that bought it"),
            Column("publisher_id", ID, "", "seller"),
            Column("slot_id", ID, "", "slot, as publisher/slot"),
            Column("way", ID, "", "how it was sold: open, deal, private_auction, preferred, guaranteed or header"),
            Column("format", ID, "", "display, mobile or video"),
            Column("device", ID, "", "desktop, mobile, tablet or tv"),
            Column("person_ix", I64, "", "the person who saw it (the bidder knows it only with consent)"),
            Column("consent", BOOL, "", "whether the person may be recognised"),
            Column("bid_nanos", I64, "nanos", "our bid for this impression"),
            Column("price_nanos", I64, "nanos", "what it cost"),
            Column("data_nanos", I64, "nanos", "what the data that chose its viewer cost on top"),
            Column("worth_nanos", I64, "nanos", "what the campaign thought it worth when it bid"),
            Column("clicked", BOOL, "", "whether it was clicked"),
            Column("billed", BOOL, "", "whether the bidder booked it; false when its win notice was lost"),
        ),
    ),
    "conversions": Table(
        "a purchase of a product",
        (
            Column("time_s", F64, "s", "time of the purchase since the scenario's start"),
            Column("product_id", ID, "", "what was bought"),
            Column("person_ix", I64, "", "who bought it"),
            Column("value_nanos", I64, "nanos", "what the purchase is worth to the advertiser, before margin"),
            Column("attributed_campaign_id", ID, "", "campaign the bidder's last-touch rule credits; empty: none"),
            Column("truth_caused", BOOL, "", "true: an exposure caused it; false: it would have happened anyway"),
            Column("truth_campaign_id", ID, "", "campaign whose exposure caused it; empty: none"),
            Column("truth_auction_ix", I64, "", "request whose exposure caused it; -1: none"),
        ),
    ),
    "delivery": Table(
        "an hour of a campaign",
        (
            Column("hour", I64, "h", "hours since the scenario's start"),
            Column("campaign_id", ID, "", "campaign"),
            Column("impressions", I64, "", "impressions bought"),
            Column("clicks", I64, "", "clicks on impressions bought in this hour"),
            Column("spend_nanos", I64, "nanos", "cost of the impressions bought"),
            Column(
                "planned_spend_nanos", I64, "nanos", "straight line from start to end of the campaign, this hour's part"
            ),
        ),
    ),
    "fates": Table(
        "a fate in an hour",
        (
            Column("hour", I64, "h", "hours since the scenario's start"),
            Column("fate", ID, "", "how the requests ended, see the list of fates"),
            Column("requests", I64, "", "requests that ended so"),
        ),
    ),
    "reasons": Table(
        "a campaign's reason",
        (
            Column("campaign_id", ID, "", "campaign"),
            Column(
                "reason", ID, "", "a fate, or outranked (another of our campaigns bid more); adds up to all requests"
            ),
            Column("requests", I64, "", "requests with this reason"),
        ),
    ),
    "landscape": Table(
        "a price bin of a publisher",
        (
            Column("publisher_id", ID, "", "seller"),
            Column("price_low_cpm", F64, "CPM", "lower edge of the bin of bids"),
            Column("price_high_cpm", F64, "CPM", "upper edge of the bin of bids"),
            Column("bids", I64, "", "our bids in the bin that reached the auction in time"),
            Column("wins", I64, "", "of those, won"),
            Column("truth_market", I64, "", "requests whose price to beat (floor or best rival) fell into the bin"),
        ),
    ),
    "reach": Table(
        "a frequency of a campaign",
        (
            Column("campaign_id", ID, "", "campaign; * for all campaigns together"),
            Column("frequency", I64, "", "exposures per person; the last row of a campaign (20) means 20 or more"),
            Column("truth_persons", I64, "persons", "people who saw it that many times"),
        ),
    ),
    "slots": Table(
        "a slot",
        (
            Column("publisher_id", ID, "", "seller"),
            Column("slot_id", ID, "", "slot, as publisher/slot"),
            Column("format", ID, "", "display, mobile or video"),
            Column("requests", I64, "", "requests sent"),
            Column("impressions", I64, "", "impressions our campaigns bought"),
            Column("spend_nanos", I64, "nanos", "what our campaigns paid"),
            Column("truth_sold", I64, "", "requests sold to anybody"),
            Column("truth_revenue_nanos", I64, "nanos", "what everybody paid for it, before fees"),
            Column("truth_clashes", I64, "", "of truth_sold, beside an ad of the same category on the same page"),
        ),
    ),
    "data_costs": Table(
        "a source a campaign may owe",
        (
            Column("campaign_id", ID, "", "campaign"),
            Column("source_id", ID, "", "source of the audience platform that costs something"),
            Column("impressions", I64, "", "impressions bought with its data"),
            Column("data_nanos", I64, "nanos", "what they cost"),
        ),
    ),
    "campaigns": Table(
        "a campaign",
        (
            Column("campaign_id", ID, "", "campaign"),
            Column("product_id", ID, "", "what it advertises; empty: nothing"),
            Column("goal", ID, "", "cpm, cpc, cpa or private"),
            Column("budget_nanos", I64, "nanos", "total budget"),
            Column("spend_nanos", I64, "nanos", "cost of the impressions bought"),
            Column("billed_nanos", I64, "nanos", "of that, booked by the bidder (differs when win notices are lost)"),
            Column("data_nanos", I64, "nanos", "cost of bought data, on top of spend and budget"),
            Column("bids", I64, "", "bids sent"),
            Column("impressions", I64, "", "impressions bought"),
            Column("clicks", I64, "", "clicks"),
            Column("attributed_conversions", I64, "", "purchases the last-touch rule credits"),
            Column("attributed_value_nanos", I64, "nanos", "value of those purchases"),
            Column("counted_reach", I64, "", "cookies, persons or households, as the bidder counts, that saw it"),
            Column("truth_over_cap", I64, "", "impressions beyond one of its caps, counted by the true person"),
            Column("truth_reach", I64, "persons", "people who saw it at least once"),
            Column("truth_conversions", I64, "", "purchases its exposures caused"),
            Column("truth_value_nanos", I64, "nanos", "value they added (private goals: worth of what was bought)"),
            Column("margin", F64, "", "share of the value that is profit"),
            Column(
                "truth_romi", F64, "", "(value added * margin - costs) / costs, of media and data; null without any"
            ),
        ),
    ),
    "bids": Table(
        "a campaign at a publisher, as the buyer sees it",
        (
            Column("campaign_id", ID, "", "campaign"),
            Column("publisher_id", ID, "", "seller, under its mask if it is anonymous"),
            *_BIDS,
            Column("trading_desk_nanos", I64, "nanos", "the trading desk's fee, on top of what was paid and kept"),
            Column("dsp_nanos", I64, "nanos", "the buying platform's fee, on top of it"),
            Column("exchange_nanos", I64, "nanos", "the exchange's fee, out of it"),
            Column("ssp_nanos", I64, "nanos", "the selling platform's fee, out of it"),
            Column("seller_nanos", I64, "nanos", "what was left for the seller"),
            Column("refund_nanos", I64, "nanos", "given back for bots' impressions, with the fees on them"),
        ),
    ),
    "deals": Table(
        "a deal",
        (
            Column("deal_id", ID, "", "deal"),
            Column("kind", ID, "", "floor, private_auction, preferred or guaranteed"),
            Column("price_nanos", I64, "nanos", "its floor or fixed price"),
            Column("owed", I64, "", "impressions guaranteed; 0: none"),
            Column("delivered", I64, "", "impressions our campaigns bought inside it (not counted for kind floor)"),
            Column("made_good", I64, "", "of delivered, those that came after they were due"),
        ),
    ),
    "money": Table(
        "what one buyer paid one seller in one way and exchange, and who has it",
        (
            Column("buyer_id", ID, "", "campaign; rivals; the network, where way is bulk"),
            Column("seller_id", ID, "", "publisher or network, by its own name"),
            Column("way", ID, "", "open, deal, private_auction, preferred, guaranteed, network, header or bulk"),
            Column("exchange_id", ID, "", "exchange it was sold in; empty: the scenario's own"),
            Column("impressions", I64, "", "impressions bought"),
            Column("advertiser_nanos", I64, "nanos", "paid by the advertiser: the sum of all that follow"),
            Column("trading_desk_nanos", I64, "nanos", "kept by the trading desk (rivals: not known)"),
            Column("dsp_nanos", I64, "nanos", "kept by the buying platform (rivals: not known)"),
            Column("exchange_nanos", I64, "nanos", "kept by the exchange"),
            Column("ssp_nanos", I64, "nanos", "kept by the selling platform"),
            Column("network_nanos", I64, "nanos", "the network's: what it resold for, less what it paid in bulk"),
            Column("publisher_nanos", I64, "nanos", "the publisher's revenue"),
            Column("refund_nanos", I64, "nanos", "given back to the advertiser"),
        ),
    ),
    "seller_bids": Table(
        "a campaign at a publisher, as the seller sees it",
        (
            Column("campaign_id", ID, "", "campaign"),
            Column("seller_id", ID, "", "publisher or network, by its own name"),
            Column("advertiser_id", ID, "", "product the campaign advertises; empty: none"),
            *_BIDS,
        ),
    ),
    "seller_yield": Table(
        "a seller's channel in one way of sale and exchange",
        (
            Column("seller_id", ID, "", "publisher or network, by its own name"),
            Column("channel", ID, "", "display, mobile web, in-app, video, native or audio"),
            Column("way", ID, "", "open, deal, private_auction, preferred, guaranteed, network, header or bulk"),
            Column("exchange_id", ID, "", "exchange it was sold in; empty: the scenario's own"),
            Column("requests", I64, "", "impressions the seller had to sell in this channel, each once"),
            Column("impressions", I64, "", "of them, sold in this way; in bulk: handed to a network, resold or not"),
            Column("paid_nanos", I64, "nanos", "what was paid for those and not refunded, before fees"),
            Column(
                "seller_nanos", I64, "nanos", "what the seller has of it (networks: before they pay for what they took)"
            ),
        ),
    ),
    "safety": _safety("publisher", Column("publisher_id", ID, "", "seller as the buyer met it, under its mask if any")),
    "seller_safety": _safety("seller", Column("seller_id", ID, "", "publisher whose page it is, by its own name")),
    "seller_traffic": Table(
        "a slot as it was offered; none without verification",
        (
            Column("seller_id", ID, "", "publisher or network, by its own name"),
            Column("slot_id", ID, "", "slot, as seller/slot"),
            Column("requests", I64, "", "requests sent"),
            Column("filtered", I64, "", "requests stopped before the auction as a bot's"),
            Column("refunded", I64, "", "impressions found out to be a bot's, whoever bought them"),
            Column("refunded_nanos", I64, "nanos", "what those had cost, before fees"),
            Column("truth_filtered_people", I64, "", "of filtered, those of people"),
            Column("truth_bot_requests", I64, "", "requests of bots that were sent"),
            Column("truth_bots_shown", I64, "", "impressions bots saw, whoever bought them"),
        ),
    ),
}

SELLER_TABLES = frozenset({"money", "seller_bids", "seller_safety", "seller_traffic", "seller_yield"})
"""Tables of the sellers and the auditor, where anonymous sellers have their own names; all others are the buyers'."""

NULLABLE = frozenset({("campaigns", "truth_romi")})
"""The only columns, as (table, column), that may be null."""

"""A made-up run that obeys the dictionary and adds up, for tests of what is written about runs. Money is nanos."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.results.dictionary import FATES, I64, TABLES
from experiments.results.manifest import Manifest
from experiments.results.tables import Codes, build_tables

SCENARIO_YAML = "name: synthetic\nseed: 7\n"
FORMATS = ("display", "mobile", "video")
DEVICES = ("desktop", "mobile", "tablet", "tv")
ADVERTS = ("Spring shoes", "brand-film", "retargeting $5–$9 \\frac", "app-install", "<b>&newcomers</b>")


def manifest(**changes: Any) -> Manifest:
    """Manifest of the made-up run."""
    values = {
        "name": "synthetic",
        "title": "Spring shoes across display, mobile & video",
        "seed": 7,
        "driver": "batch",
        "scenario_hash": "0" * 64,
        "auctions": 1,
        "command": "bidlab run runs/x/scenario.yaml --seed 7",
        "started_at": "2026-01-05T12:00:00+00:00",
        "start": "2026-01-05T00:00:00",
        "days": 7.0,
        "wall_s": 3.25,
        "cpu_s": 3.0,
        "platform": "Linux-x86_64",
        "versions": {"python": "3.11.7", "bidlab": "0.1.0", "numpy": "2.4.6"},
    }
    return Manifest(**(values | changes))


def columns(
    *, campaigns: int = 5, wins: int = 40_000, conversions: int = 900, products: int = 2, days: int = 7, seed: int = 7
) -> dict[str, dict[str, Any]]:
    """Columns of every table. With `wins=0` nothing is bought; with `products=0` nothing is advertised or sold."""
    rng = np.random.default_rng(seed)
    names = [f"{ADVERTS[i % len(ADVERTS)]}{f'-{i}' if i >= len(ADVERTS) else ''}" for i in range(campaigns)]
    exposures = _exposures(rng, names, wins, days)
    goods = [f"product-{i}" for i in range(products)]
    sales = _conversions(rng, names, goods, exposures, conversions if products else 0, days)
    fates = _fates(rng, exposures, days)
    slots = _slots(exposures, int(np.sum(fates["requests"])))
    return {
        "exposures": exposures,
        "conversions": sales,
        "delivery": _delivery(exposures, names, days),
        "fates": fates,
        "reasons": _reasons(rng, names, int(np.sum(fates["requests"])), exposures),
        "landscape": _landscape(rng, exposures),
        "reach": _reach(exposures, names),
        "slots": slots,
        "data_costs": _data_costs(names, exposures),
        "campaigns": _campaigns(names, goods, exposures, sales),
        **_selling(names, goods, exposures, slots),
    }


def tables(**sizes: Any) -> Any:
    """The made-up run's tables."""
    return build_tables(columns(**sizes))


def _exposures(rng: np.random.Generator, names: list[str], wins: int, days: int) -> dict[str, Any]:
    publisher = rng.choice(4, wins, p=[0.45, 0.3, 0.15, 0.1])
    kind = rng.choice(3, wins, p=[0.5, 0.35, 0.15])
    hours = rng.choice(24, wins, p=_day_shape())
    price = (rng.lognormal(0.6, 0.5, wins) * (1 + 2 * (kind == 2)) * 1e6).astype(np.int64)
    return {
        "auction_ix": np.arange(wins) * 5,
        "page_view": np.arange(wins) * 5,
        "time_s": np.sort((rng.integers(0, days, wins) * 24 + hours + rng.random(wins)) * 3600.0),
        "campaign_id": Codes((rng.beta(1, 1.6, wins) * len(names)).astype(np.int32), names),
        "publisher_id": Codes(publisher, [f"site-{p}" for p in "abcd"]),
        "slot_id": Codes(publisher * 3 + kind, [f"site-{p}/{f}" for p in "abcd" for f in FORMATS]),
        "way": ["open"] * wins,
        "format": Codes(kind, FORMATS),
        "device": Codes(rng.choice(4, wins, p=[0.3, 0.5, 0.1, 0.1]), DEVICES),
        "person_ix": (rng.beta(0.7, 3, wins) * max(wins, 1) / 2).astype(np.int64),
        "consent": rng.random(wins) < 0.8,
        "bid_nanos": (price * rng.uniform(1.0, 1.8, wins)).astype(np.int64),
        "price_nanos": price,
        "data_nanos": np.where(kind == 2, 300_000, 0),
        "worth_nanos": price * 2,
        "clicked": rng.random(wins) < 0.008,
        "billed": rng.random(wins) < 0.999,
    }


def _day_shape() -> np.ndarray:
    shape = 1.2 + np.sin((np.arange(24) - 9) / 24 * 2 * np.pi)
    return shape / shape.sum()


def _conversions(
    rng: np.random.Generator, names: list[str], goods: list[str], shown: dict[str, Any], count: int, days: int
) -> dict[str, Any]:
    wins = len(shown["auction_ix"])
    caused = (rng.random(count) < 0.35) & (wins > 0)
    by = rng.integers(0, max(wins, 1), count)
    cause = shown["campaign_id"].indices[by] if wins else np.zeros(count, dtype=np.int32)
    last = np.where(rng.random(count) < 0.85, cause, rng.integers(0, len(names), count))
    credited = np.where(rng.random(count) < 0.7, last, -1) if wins else np.full(count, -1)
    return {
        "time_s": np.sort(rng.uniform(0, days * 86400.0, count)),
        "product_id": Codes(rng.integers(0, max(len(goods), 1), count), goods or ["none"]),
        "person_ix": rng.integers(0, 10_000, count),
        "value_nanos": (rng.lognormal(-0.2, 0.4, count) * 1e9).astype(np.int64),
        "attributed_campaign_id": Codes(credited, names),
        "truth_caused": caused,
        "truth_campaign_id": Codes(np.where(caused, cause, -1), names),
        "truth_auction_ix": np.where(caused, shown["auction_ix"][by] if wins else -1, -1),
    }


def _fates(rng: np.random.Generator, shown: dict[str, Any], days: int) -> dict[str, Any]:
    hours = days * 24
    won = np.bincount((shown["time_s"] // 3600).astype(np.int64), minlength=hours)
    traffic = 3000 * (0.2 + np.tile(_day_shape(), days))
    shares = {"not_targeted": 9, "no_consent": 3, "budget_gone": 1, "capped": 2.5, "paced": 3}
    shares |= {"bad_bid": 0.001, "no_value": 0.01, "below_floor": 1.2, "timed_out": 0.3, "outbid": 5}
    rows = []
    for fate in FATES:
        counts = won if fate == "won" else rng.poisson(traffic * shares[fate] / 10)
        rows += [(hour, fate, int(count)) for hour, count in enumerate(counts)]
    hour, fate, requests = zip(*rows, strict=True)
    return {"hour": list(hour), "fate": list(fate), "requests": list(requests)}


def _reasons(rng: np.random.Generator, names: list[str], requests: int, shown: dict[str, Any]) -> dict[str, Any]:
    kinds = (*FATES, "outranked")
    weights = {"not_targeted": 12.0, "bad_bid": 0.01, "no_value": 0.1, "timed_out": 0.2, "below_floor": 1.0}
    won = np.bincount(shown["campaign_id"].indices, minlength=len(names))
    rows = []
    for name, bought in zip(names, won.tolist(), strict=True):
        shares = rng.dirichlet([weights.get(kind, 2.0) for kind in kinds if kind != "won"])
        parts = iter(rng.multinomial(requests - bought, shares).tolist())
        rows += [(name, kind, bought if kind == "won" else next(parts)) for kind in kinds]
    campaign, reason, counts = zip(*rows, strict=True)
    return {"campaign_id": list(campaign), "reason": list(reason), "requests": list(counts)}


def _delivery(shown: dict[str, Any], names: list[str], days: int) -> dict[str, Any]:
    hours, count = days * 24, len(names)
    cell = (shown["time_s"] // 3600).astype(np.int64) * count + shown["campaign_id"].indices

    def add(weights: Any) -> np.ndarray:
        return np.bincount(cell, weights=weights, minlength=hours * count).round().astype(np.int64)

    spend = add(shown["price_nanos"])
    total = spend.reshape(hours, count).sum(axis=0)
    return {
        "hour": np.repeat(np.arange(hours), count),
        "campaign_id": Codes(np.tile(np.arange(count), hours), names),
        "impressions": add(None),
        "clicks": add(shown["clicked"]),
        "spend_nanos": spend,
        "planned_spend_nanos": np.tile((total * 1.2 / hours).astype(np.int64) + 1_000_000, hours),
    }


def _landscape(rng: np.random.Generator, shown: dict[str, Any]) -> dict[str, Any]:
    edges = np.arange(0, 20.5, 0.5)
    columns: dict[str, list[Any]] = {k: [] for k in ("publisher_id", "low", "high", "bids", "wins", "market")}
    for p, name in enumerate(shown["publisher_id"].names):
        mine = shown["publisher_id"].indices == p
        wins = np.histogram(np.minimum(shown["bid_nanos"][mine] / 1e6, 19.9), edges)[0]
        rate = 1 / (1 + np.exp(-(edges[:-1] - 2 - p) / 1.5))
        columns["publisher_id"] += [name] * len(wins)
        columns["low"] += list(edges[:-1])
        columns["high"] += list(edges[1:])
        columns["bids"] += list((wins / rate).astype(np.int64))
        columns["wins"] += list(wins)
        columns["market"] += list(rng.poisson(3000 * np.exp(-((np.log(edges[1:] / (2 + p))) ** 2))))
    return {
        "publisher_id": columns["publisher_id"],
        "price_low_cpm": columns["low"],
        "price_high_cpm": columns["high"],
        "bids": columns["bids"],
        "wins": columns["wins"],
        "truth_market": columns["market"],
    }


def _seen(people: np.ndarray) -> np.ndarray:
    """People by frequency 1..20; the last one means 20 or more."""
    times = np.unique(people, return_counts=True)[1]
    return np.bincount(np.minimum(times, 20), minlength=21)[1:]


def _reach(shown: dict[str, Any], names: list[str]) -> dict[str, Any]:
    parts = [("*", _seen(shown["person_ix"]))]
    parts += [(n, _seen(shown["person_ix"][shown["campaign_id"].indices == i])) for i, n in enumerate(names)]
    return {
        "campaign_id": [name for name, _ in parts for _ in range(20)],
        "frequency": [f for _ in parts for f in range(1, 21)],
        "truth_persons": [int(n) for _, counts in parts for n in counts],
    }


def _slots(shown: dict[str, Any], requests: int) -> dict[str, Any]:
    slot = shown["slot_id"]
    wins = np.bincount(slot.indices, minlength=12)
    spend = np.bincount(slot.indices, weights=shown["price_nanos"], minlength=12).round().astype(np.int64)
    share = np.full(12, requests // 12)
    share[0] += requests - share.sum()
    return {
        "publisher_id": [name.split("/")[0] for name in slot.names],
        "slot_id": list(slot.names),
        "format": list(FORMATS) * 4,
        "requests": share,
        "impressions": wins,
        "spend_nanos": spend,
        "truth_sold": np.maximum(wins, share * 8 // 10),
        "truth_revenue_nanos": spend * 3 + share * 1_000_000,
        "truth_clashes": share * 0,
    }


def _data_costs(names: list[str], shown: dict[str, Any]) -> dict[str, Any]:
    by, paid = shown["campaign_id"].indices, shown["data_nanos"] > 0
    counts = np.bincount(by[paid], minlength=len(names))
    return {
        "campaign_id": names,
        "source_id": ["vendor"] * len(names),
        "impressions": counts,
        "data_nanos": counts * 300_000,
    }


def _campaigns(names: list[str], goods: list[str], shown: dict[str, Any], sales: dict[str, Any]) -> dict[str, Any]:
    def count(codes: Codes, weights: Any = None) -> np.ndarray:
        mine = codes.indices >= 0
        kept = None if weights is None else weights[mine]
        return np.bincount(codes.indices[mine], weights=kept, minlength=len(names)).round().astype(np.int64)

    spend = count(shown["campaign_id"], shown["price_nanos"])
    data = count(shown["campaign_id"], shown["data_nanos"])
    costs = (spend + data).tolist()
    value = count(sales["truth_campaign_id"], sales["value_nanos"])
    return {
        "campaign_id": names,
        "product_id": [goods[i % len(goods)] if goods else "" for i in range(len(names))],
        "goal": [("cpm", "cpc", "cpa", "private")[i % 4] for i in range(len(names))],
        "budget_nanos": np.maximum((spend * 1.2).astype(np.int64), 10 * 10**9),
        "spend_nanos": spend,
        "billed_nanos": count(shown["campaign_id"], shown["price_nanos"] * shown["billed"]),
        "data_nanos": data,
        "bids": count(shown["campaign_id"]) * 3,
        "impressions": count(shown["campaign_id"]),
        "clicks": count(shown["campaign_id"], shown["clicked"]),
        "attributed_conversions": count(sales["attributed_campaign_id"]),
        "attributed_value_nanos": count(sales["attributed_campaign_id"], sales["value_nanos"]),
        "counted_reach": count(shown["campaign_id"], shown["consent"]),
        "truth_over_cap": np.zeros(len(names), np.int64),
        "truth_reach": [
            len(np.unique(shown["person_ix"][shown["campaign_id"].indices == i])) for i in range(len(names))
        ],
        "truth_conversions": count(sales["truth_campaign_id"]),
        "truth_value_nanos": value,
        "margin": np.full(len(names), 0.4),
        "truth_romi": [(v * 0.4 - s) / s if s else None for v, s in zip(value.tolist(), costs, strict=True)],
    }


def _no_rows(table: str) -> dict[str, Any]:
    """Columns without rows."""
    return {c.name: np.zeros(0, np.int64) if c.type == I64 else [] for c in TABLES[table].columns}


def _selling(names: list[str], goods: list[str], shown: dict[str, Any], slots: dict[str, Any]) -> dict[str, Any]:
    """Who paid whom, with a tenth for the exchange, and who bid what for whom: three bids for each one won."""
    sellers = list(shown["publisher_id"].names)
    cell = shown["campaign_id"].indices * len(sellers) + shown["publisher_id"].indices
    size = len(names) * len(sellers)
    won = np.bincount(cell, minlength=size)
    paid = np.bincount(cell, weights=shown["price_nanos"], minlength=size).round().astype(np.int64)
    campaign, seller = np.divmod(np.flatnonzero(won), len(sellers))
    won, paid = won[won > 0], paid[won > 0]
    rest = int(slots["truth_sold"].sum() - won.sum()), int(slots["truth_revenue_nanos"].sum() - paid.sum())
    buyers, sold_by = [*(names[c] for c in campaign), "rivals"], [*(sellers[s] for s in seller), sellers[0]]
    gross = np.array([*paid, rest[1]], np.int64)
    none = np.zeros(len(gross), np.int64)
    money = {"buyer_id": buyers, "seller_id": sold_by, "way": ["open"] * len(gross), "exchange_id": [""] * len(gross)}
    money |= {"impressions": np.array([*won, rest[0]], np.int64), "advertiser_nanos": gross + gross // 20}
    money |= {"trading_desk_nanos": none, "dsp_nanos": gross // 20, "exchange_nanos": gross // 10, "ssp_nanos": none}
    money |= {"network_nanos": none, "publisher_nanos": gross - gross // 10, "refund_nanos": none}
    told = {"bids": won * 3, "bid_nanos": paid * 4, "won": won, "paid_nanos": paid, "lost_to_higher_bid": won * 2}
    told |= {"lost_below_floor": won * 0, "lost_to_deal": won * 0, "lost_refused": won * 0, "lost_stopped": won * 0}
    told |= {"lost_elsewhere": won * 0, "lost_seat_barred": won * 0, "lost_advertiser_shown": won * 0}
    told |= {"lost_category_shown": won * 0, "short_nanos": paid // 2}
    campaigns = {"campaign_id": Codes(campaign, names)}
    fees = {f"{hop}_nanos": money[f"{hop}_nanos"][: len(won)] for hop in ("trading_desk", "dsp", "exchange", "ssp")}
    fees |= {"seller_nanos": money["publisher_nanos"][: len(won)], "refund_nanos": won * 0}
    advertisers = {"advertiser_id": [goods[int(c) % len(goods)] if goods else "" for c in campaign]}
    return {
        "bids": campaigns | {"publisher_id": Codes(seller, sellers)} | told | fees,
        "deals": {"deal_id": [], "kind": []}
        | {name: won[:0] for name in ("price_nanos", "owed", "delivered", "made_good")},
        "money": money,
        "seller_yield": {
            "seller_id": sold_by,
            "channel": ["display"] * len(gross),
            **{name: money[name] for name in ("way", "exchange_id", "impressions")},
            "requests": money["impressions"] * 2,
            "paid_nanos": gross,
            "seller_nanos": gross - gross // 10,
        },
        "seller_bids": campaigns | {"seller_id": Codes(seller, sellers)} | advertisers | told,
        **{name: _no_rows(name) for name in ("safety", "seller_safety", "seller_traffic")},
    }

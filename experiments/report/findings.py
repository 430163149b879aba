"""The run in a few sentences: facts from the tables, no advice. Money in currency units."""

from __future__ import annotations

from experiments.report.facts import Facts
from experiments.report.plots.people import reach_words
from experiments.report.plots.prices import market_words
from experiments.report.plots.truth import credit_words
from experiments.report.words import count, fate_name, money, number, percent, signed_percent
from experiments.results.dictionary import FATE_MEANINGS
from experiments.results.summary import ratio


def findings(facts: Facts) -> list[tuple[str, str]]:
    """(topic, sentences) in the order a reader asks; a topic with nothing to say is left out."""
    said = [
        ("Delivery", _delivery(facts)),
        ("What was not bought", _not_bought(facts)),
        ("Prices", market_words(facts)),
        ("People", reach_words(facts) if facts.total["reach"] else ""),
        ("Attribution", _attribution(facts)),
        ("True return", _worth(facts)),
    ]
    return [(topic, sentences) for topic, sentences in said if sentences]


def _delivery(facts: Facts) -> str:
    total, currency = facts.total, facts.currency
    if not total["impressions"]:
        return f"Nothing was bought: none of the {money(total['budget'], currency)} budget was spent."
    words = (
        f"{money(total['spend'], currency)} of {money(total['budget'], currency)} was spent "
        f"({percent(total['budget_used'], 0)}), for {count(total['impressions'])} impressions at "
        f"{money(total['cpm'], currency)} CPM."
    )
    short = [row["campaign_id"] for row in facts.campaigns if row["budget"] and row["spend"] < 0.5 * row["budget"]]
    if short and len(facts.campaigns) > 1:
        named = ", ".join(short[:3]) + (f" and {len(short) - 3} more" if len(short) > 3 else "")
        words += f" Less than half of its budget was spent by: {named}."
    return words


def _not_bought(facts: Facts) -> str:
    fates = facts.summary["fates"]
    wanted = facts.summary["requests"] - fates["not_targeted"]
    if not wanted:
        return (
            "No running campaign wanted any of the requests."
            if facts.summary["requests"]
            else "There were no requests."
        )
    lost = {fate: n for fate, n in fates.items() if fate not in ("not_targeted", "won")}
    worst = max(lost, key=lambda fate: lost[fate])
    words = f"Campaigns wanted {count(wanted)} of {count(facts.summary['requests'])} requests and bought "
    words += f"{percent(fates['won'] / wanted)} of those."
    if lost[worst]:
        share = percent(lost[worst] / (wanted - fates["won"]), 0)
        words += f" The commonest reason for the rest: {fate_name(worst)} ({share}), that is, {FATE_MEANINGS[worst]}."
    return words


def _attribution(facts: Facts) -> str:
    total, currency = facts.total, facts.currency
    credited, caused = total["attributed_conversions"], total["true_conversions"]
    if not credited and not caused:
        return ""
    words = (
        f"Last touch credits {count(credited)} purchases worth {money(total['attributed_value'], currency)}; "
        f"the ads really caused {count(caused)} worth {money(total['true_value'], currency)}."
    )
    factor = ratio(total["attributed_value"], total["true_value"])
    if factor:
        far = "overstates" if factor > 1 else "understates"
        words += f" It {far} their value by a factor of {number(max(factor, 1 / factor))}."
    return f"{words} {credit_words(facts)}"


def _worth(facts: Facts) -> str:
    total = facts.total
    if total["true_romi"] is None or not total["true_value"]:
        return ""
    profit, verb = total["true_profit"], "earned" if total["true_profit"] >= 0 else "lost"
    words = f"After their cost the ads {verb} {money(abs(profit), facts.currency)}: a true ROMI of "
    words += f"{signed_percent(total['true_romi'])}."
    rows = [row for row in facts.campaigns if row["roas"] is not None and row["true_romi"] is not None]
    if len(rows) > 1:
        best, seeming = max(rows, key=lambda row: row["true_romi"]), max(rows, key=lambda row: row["roas"])
        words += f" Best in truth: {best['campaign_id']} ({signed_percent(best['true_romi'])})"
        agree = best is seeming
        words += "; last touch agrees." if agree else f"; last touch would name {seeming['campaign_id']}."
    return words

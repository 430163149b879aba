"""The data dictionary of studies: tables that `bidlab sweep`, `romi`, `measure` and their like write.

Same rules as the tables of a run (`experiments.results.dictionary`). Money in whole nanos of the currency, unless a
mean over seeds makes it a fraction: then it is in units of the currency and no column says nanos.
"""

from __future__ import annotations

from experiments.results.dictionary import BOOL, F64, I64, ID, TABLES, Column, Table

_CAMPAIGN = Column("campaign_id", ID, "", "campaign")
_MONEY = "currency"
_SETTING = Column("setting", ID, "", "the setting that was turned: budget, or a path inside the campaign")
_VALUE = Column("value", F64, "", "value of the setting (budgets: currency)")
_CURRENT = Column("current", BOOL, "", "whether it is the scenario's own value")
_SEED = Column("seed", I64, "", "seed")
_FREQUENCY = Column("frequency", F64, "", "impressions per person reached; null without one")


def _of_a_run(*names: str) -> tuple[Column, ...]:
    """These columns of a run's table of campaigns, which mean the same in a study."""
    return tuple(column for name in names for column in TABLES["campaigns"].columns if column.name == name)


def _band(name: str, unit: str, meaning: str) -> tuple[Column, Column, Column]:
    """An estimate and the two ends of its 95 % interval over seeds."""
    return (
        Column(name, F64, unit, meaning),
        Column(f"{name}_low", F64, unit, f"lower end of the 95 % interval of {name}; null with one seed"),
        Column(f"{name}_high", F64, unit, f"upper end of the 95 % interval of {name}; null with one seed"),
    )


STUDIES: dict[str, Table] = {
    "sweep_settings": Table(
        "a setting of a cell of a sweep",
        (
            Column("cell", I64, "", "number of the cell within the sweep, from 0"),
            Column("cell_id", ID, "", "hash of its scenario and of the source; empty: the scenario was refused"),
            Column("status", ID, "", "done or failed"),
            Column("path", ID, "", "the setting, as --vary names it; seed for the seed"),
            Column("value", ID, "", "its value as text"),
            Column("number", F64, "", "its value as a number; null when it is none"),
        ),
    ),
    "sweep_campaigns": Table(
        "a campaign in a finished cell of a sweep",
        (
            Column("cell", I64, "", "number of the cell within the sweep, from 0"),
            Column("seed", I64, "", "seed of the cell"),
            _CAMPAIGN,
            Column("auctions", I64, "", "requests of the run"),
            *_of_a_run("budget_nanos", "spend_nanos"),
            Column("billed_nanos", I64, "nanos", "of that, booked by the bidder"),
            *_of_a_run("data_nanos", "bids", "impressions", "clicks", "attributed_conversions"),
            *_of_a_run("attributed_value_nanos", "truth_reach", "truth_conversions", "truth_value_nanos", "margin"),
            *_of_a_run("truth_romi"),
        ),
    ),
    "romi_points": Table(
        "a value of the setting under a seed",
        (
            _CAMPAIGN,
            _SETTING,
            _VALUE,
            _SEED,
            _CURRENT,
            Column("spend", F64, _MONEY, "what the campaign paid, media and bought data"),
            Column("value_added", F64, _MONEY, "value of the whole account with the campaign less without it"),
            Column("gross", F64, _MONEY, "the same times each product's margin"),
            Column("direct", F64, _MONEY, "value its own exposures caused, by their labels"),
            Column("others_spend", F64, _MONEY, "what the other campaigns paid more because of it"),
            Column("credited", F64, _MONEY, "value that last touch credits to it"),
            Column("bids", F64, "", "bids sent"),
            Column("impressions", F64, "", "impressions bought"),
            Column("clicks", F64, "", "clicks"),
            Column("reach", F64, "persons", "people who saw it at least once"),
            Column("conversions", F64, "", "purchases its exposures caused"),
            Column("credited_conversions", F64, "", "purchases last touch credits to it"),
        ),
    ),
    "romi_curve": Table(
        "a value of the setting, over all seeds",
        (
            _CAMPAIGN,
            _SETTING,
            _VALUE,
            _CURRENT,
            Column("seeds", I64, "", "how many seeds"),
            *_band("spend", _MONEY, "mean spend"),
            *_band("incremental_value", _MONEY, "mean value of the account with the campaign less without it"),
            *_band("profit", _MONEY, "mean incremental value times margin, less spend"),
            *_band("romi", "", "(incremental value * margin - spend) / spend; null without spend"),
            *_band("marginal_romi", "", "the same of what the step from the row before added; null without more spend"),
            *_band("iroas", "", "incremental value per unit spent; null without spend"),
            *_band("credited_roas", "", "value credited by last touch per unit spent; null without spend"),
            Column("direct", F64, _MONEY, "mean value its own exposures caused, by their labels"),
            Column("others_spend", F64, _MONEY, "what the other campaigns paid more because of it, mean"),
            Column("cpa", F64, _MONEY, "spend per purchase credited by last touch; null without one"),
            Column("true_cpa", F64, _MONEY, "spend per purchase caused; null without one"),
            Column("cpm", F64, _MONEY, "spend per thousand impressions; null without one"),
            Column("impressions", F64, "", "mean impressions"),
            Column("clicks", F64, "", "mean clicks"),
            Column("reach", F64, "persons", "mean reach"),
            _FREQUENCY,
        ),
    ),
    "romi_fits": Table(
        "a parameter of a fitted curve",
        (
            _CAMPAIGN,
            _SETTING,
            Column("family", ID, "", "hill: a s^h / (k^h + s^h); power: a s^b; negexp: a (1 - exp(-s / k))"),
            Column("best", BOOL, "", "whether it is the family to believe (smallest aicc)"),
            Column("parameter", ID, "", "name of the parameter"),
            Column(
                "estimate", F64, "", "its estimate; a in currency (hill, negexp), k in currency, b and h pure numbers"
            ),
            Column("standard_error", F64, "", "jackknife over seeds; null where it cannot be told"),
            Column("rmse", F64, _MONEY, "root of the mean squared deviation of the family from the points"),
            Column("r2", F64, "", "share of the variance of the points it explains"),
            Column("aicc", F64, "", "Akaike's criterion, corrected for few points; null with too few"),
        ),
    ),
    "romi_groups": Table(
        "a value of the setting for a group of people",
        (
            _CAMPAIGN,
            _SETTING,
            Column("by", ID, "", "customer (tiers by what a purchase is worth), place, or segment (these overlap)"),
            Column("group", ID, "", "name of the group; customer: low, middle, high, or all when worth the same"),
            Column("persons", F64, "persons", "people in it, mean over seeds"),
            _VALUE,
            _CURRENT,
            *_band("spend", _MONEY, "mean cost of showing the group the campaign's ads"),
            *_band("incremental_value", _MONEY, "mean value the group brings with the campaign less without it"),
            *_band("profit", _MONEY, "mean incremental value times margin, less spend"),
            *_band("romi", "", "(incremental value * margin - spend) / spend; null without spend"),
            *_band(
                "marginal_romi", "", "the same of what the step from the value before added; null without more spend"
            ),
        ),
    ),
    "attribution": Table(
        "a channel under a rule",
        (
            Column("rule", ID, "", "first, last, linear, time_decay, position, markov, shapley, or truth"),
            Column("product_id", ID, "", "what was bought; empty for recorded paths"),
            Column("channel", ID, "", "channel, for a run a campaign"),
            Column("conversions", F64, "", "purchases the rule gives it"),
            Column("value", F64, _MONEY, "value the rule gives it"),
        ),
    ),
    "accounts": Table(
        "a member of a dimension",
        (
            Column("dimension", ID, "", "all, campaign, format, publisher, place, device or segment (these overlap)"),
            Column("name", ID, "", "which of them"),
            Column("impressions", I64, "", "impressions bought"),
            Column("spend_nanos", I64, "nanos", "what they cost, media and bought data"),
            Column("clicks", I64, "", "clicks on them"),
            Column("credited_conversions", I64, "", "purchases whose last touch they were"),
            Column("credited_value_nanos", I64, "nanos", "value of those purchases"),
            Column("truth_conversions", I64, "", "purchases they caused"),
            Column("truth_value_nanos", I64, "nanos", "value they added"),
            Column("truth_reach", I64, "persons", "people who saw one of them"),
            _FREQUENCY,
            Column("cpa", F64, _MONEY, "spend per credited purchase; null without one"),
            Column("credited_roas", F64, "", "credited value per unit spent; null without spend"),
            Column("truth_iroas", F64, "", "value added per unit spent; null without spend"),
            Column("truth_romi", F64, "", "(value added * margin - spend) / spend; null without spend"),
        ),
    ),
    "customers": Table(
        "a customer group of a product",
        (
            Column("product_id", ID, "", "product"),
            Column(
                "customer_group",
                ID,
                "",
                "low, middle, high (fifth, three fifths, fifth by worth); all: everybody is worth the same",
            ),
            Column("truth_persons", I64, "persons", "people in the group"),
            Column("purchases", I64, "", "what they bought, caused or not"),
            Column("value_nanos", I64, "nanos", "value of that"),
            Column("truth_conversions", I64, "", "of that, caused by ads"),
            Column("truth_value_nanos", I64, "nanos", "value of what ads caused"),
            Column("spend_nanos", I64, "nanos", "what showing them the product's ads cost, media and bought data"),
            Column("margin", F64, "", "share of the value that is profit"),
            Column("profit", F64, _MONEY, "value * margin - spend"),
            Column("truth_incremental_profit", F64, _MONEY, "value added * margin - spend"),
            Column("truth_romi", F64, "", "(value added * margin - spend) / spend; null without spend"),
        ),
    ),
    "forecast": Table(
        "a measure at a value of the setting",
        (
            _CAMPAIGN,
            _SETTING,
            _VALUE,
            _CURRENT,
            Column("measure", ID, "", "spend, impressions, clicks, reach, frequency, cpm, credited_conversions, cpa"),
            Column("mean", F64, "", "mean over seeds (spend, cpm, cpa: currency); null when it is never known"),
            Column("low", F64, "", "5 % quantile over seeds: what to expect of a bad draw"),
            Column("high", F64, "", "95 % quantile over seeds"),
        ),
    ),
    "reconciliation": Table(
        "a campaign of a plan or of a run",
        (
            _CAMPAIGN,
            Column("planned_nanos", I64, "nanos", "budget in the plan; 0: not in the plan"),
            Column("delivered_nanos", I64, "nanos", "what the run bought"),
            Column("billed_nanos", I64, "nanos", "of that, booked by the bidder"),
            Column("gap_nanos", I64, "nanos", "planned less delivered"),
            Column("unbilled_nanos", I64, "nanos", "delivered less billed: win notices lost"),
            Column("reason", ID, "", "why most of the requests it was meant for did not become an impression"),
            Column("reason_requests", I64, "", "how many"),
            Column("explanation", ID, "", "the difference in words"),
        ),
    ),
    "allocation": Table(
        "a campaign in a new split",
        (
            _CAMPAIGN,
            Column("family", ID, "", "family of the curve used; empty: nothing ever came of the campaign"),
            Column("budget_before", F64, _MONEY, "total budget as the scenario has it"),
            Column("budget_after", F64, _MONEY, "new total budget; 0: switched off"),
            Column("spend_before", F64, _MONEY, "mean spend under the scenario's budget"),
            Column("spend_after", F64, _MONEY, "spend the new split wants"),
            Column("value_before", F64, _MONEY, "incremental value the curve expects before"),
            Column("value_after", F64, _MONEY, "incremental value the curve expects after"),
            Column("marginal_romi_after", F64, "", "ROMI of one more unit; null without spend"),
        ),
    ),
    "phases": Table(
        "a phase of a campaign under a seed",
        (
            _CAMPAIGN,
            _SEED,
            Column("phase", I64, "", "number of the phase, from 1"),
            Column("end_h", F64, "h", "its end, since the scenario's start"),
            Column("budget", F64, _MONEY, "money it was given; 0: nothing had come in, and it did not take place"),
            Column("spend", F64, _MONEY, "what it paid, media and bought data"),
            Column("truth_gross", F64, _MONEY, "value times margin of purchases within it that phases so far caused"),
            Column("credited_gross", F64, _MONEY, "the same of purchases last touch credits to phases so far"),
            Column("truth_cash", F64, _MONEY, "truth_gross less spend, of the phases so far"),
        ),
    ),
    "comparison": Table(
        "a measure of a campaign on a side",
        (
            Column("side", ID, "", "what is compared: folder of the run, or settings of the sweep"),
            Column("against", ID, "", "what with: the side given first"),
            Column("campaign_id", ID, "", "campaign; * for all together"),
            Column(
                "measure",
                ID,
                "",
                "spend (media and bought data), impressions, clicks, reach, credited_conversions, conversions, "
                "credited_value, value, profit, cpm, romi; conversions, value, profit and romi are what was caused",
            ),
            Column("seeds", I64, "", "how many pairs of runs under the same seed"),
            Column("before", F64, "", "mean on the side given first (money: currency); null: a ratio of nothing"),
            Column("after", F64, "", "mean on this side; null: a ratio of nothing"),
            *_band("difference", "", "after less before, mean over the pairs; null where one of them is"),
            Column(
                "variance_cut",
                F64,
                "",
                "variance of the difference with independent seeds over that of the pairs; null for ratios, with one "
                "pair, and when every pair differs by the same",
            ),
        ),
    ),
    "comparison_pairs": Table(
        "a measure of a campaign on a side under a seed",
        (
            Column("side", ID, "", "what is compared"),
            Column("against", ID, "", "what with: the side given first"),
            Column("campaign_id", ID, "", "campaign; * for all together"),
            Column("measure", ID, "", "as in comparison, ratios aside"),
            Column("seed", I64, "", "seed of both runs"),
            Column("before", F64, "", "on the side given first (money: currency)"),
            Column("after", F64, "", "on this side"),
            Column("difference", F64, "", "after less before"),
        ),
    ),
    "experiments": Table(
        "a repeat of an experiment",
        (
            _CAMPAIGN,
            Column("repeat", I64, "", "number of the repeat, from 0"),
            Column("design", ID, "", "itt, psa, ghost or geo"),
            Column("estimate", F64, "", "purchases caused, as the experiment says; null when an arm is empty"),
            Column("low", F64, "", "lower end of its 95 % interval; null when there is none"),
            Column("high", F64, "", "upper end of its 95 % interval; null when there is none"),
            Column("truth", I64, "", "purchases caused, by their labels"),
            Column("treated", I64, "", "people (geo: places) compared who could see it"),
            Column("control", I64, "", "people (geo: places) compared who could not"),
            Column("spend", F64, _MONEY, "what the campaign paid"),
            Column("extra_cost", F64, _MONEY, "what the control group's ads cost"),
            Column("forgone", F64, _MONEY, "value the control group would have brought; null when nobody was treated"),
        ),
    ),
}

_BANDS = ("spend", "incremental_value", "profit", "romi", "marginal_romi", "iroas", "credited_roas")
STUDIES_NULLABLE = frozenset(
    {
        ("sweep_settings", "number"),
        ("sweep_campaigns", "truth_romi"),
        *(("romi_curve", f"{band}{end}") for band in _BANDS for end in ("_low", "_high")),
        *(("romi_curve", name) for name in ("romi", "marginal_romi", "iroas", "credited_roas")),
        *(("romi_curve", name) for name in ("cpa", "true_cpa", "cpm", "frequency")),
        *(("romi_groups", f"{band}{end}") for band in _BANDS[:5] for end in ("_low", "_high")),
        *(("romi_groups", name) for name in ("romi", "marginal_romi")),
        ("romi_fits", "standard_error"),
        ("romi_fits", "aicc"),
        *(("forecast", name) for name in ("mean", "low", "high")),
        *(("accounts", name) for name in ("frequency", "cpa", "credited_roas", "truth_iroas", "truth_romi")),
        ("customers", "truth_romi"),
        *(("comparison", name) for name in ("before", "after", "variance_cut")),
        *(("comparison", f"difference{end}") for end in ("", "_low", "_high")),
        ("allocation", "marginal_romi_after"),
        *(("experiments", name) for name in ("estimate", "low", "high", "forgone")),
    }
)
"""Columns of studies, as (table, column), that may be null."""

"""From measured points to the curve: means with intervals, marginal returns, fits, optimum, break-even, in words too.

Money in units of the currency. Marginal values are differences between neighbouring points, seed by seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.report.words import signed_percent
from experiments.romi import bands
from experiments.romi.bands import UNKNOWN, Band
from experiments.romi.families import Fit, fit_all
from experiments.romi.optimum import best_spend, break_even, romi_at
from experiments.romi.points import Points

LEAST_RISE = 1e-3
"""A step that raises spend by less than this share buys nothing to speak of: no marginal return is told."""


class Row(NamedTuple):
    """One value of the setting, over all seeds."""

    value: float
    current: bool
    spend: Band
    incremental: Band
    profit: Band
    romi: Band
    marginal_romi: Band
    iroas: Band
    credited_roas: Band
    direct: float
    others_spend: float
    cpa: float | None
    true_cpa: float | None
    cpm: float | None
    impressions: float
    clicks: float
    reach: float
    frequency: float | None


class Curve(NamedTuple):
    """Everything known about one campaign's response."""

    points: Points
    rows: list[Row]
    fits: list[Fit]
    """Best family first; empty when there is nothing to fit."""
    optimum: float | None
    """Spend that earns most under the best fit."""
    optimum_at_the_end: bool
    break_even: float | None
    best_row: int
    """Row with the highest mean profit."""
    gain: Band
    """Profit of that row above the current one's, seed by seed."""
    saturated_from: float | None
    """First value of the setting from which on spend no longer rises."""

    @property
    def current(self) -> Row:
        """The row of the scenario as it is."""
        return next(row for row in self.rows if row.current)

    def setting_for(self, spend: float) -> float:
        """Value of the setting whose mean spend is *spend*, between the measured ones."""
        spends = np.array([row.spend.mean for row in self.rows], np.float64)
        return float(np.interp(spend, np.maximum.accumulate(spends), [row.value for row in self.rows]))


def curve_of(points: Points) -> Curve:
    """Work out the curve."""
    rows = [_row(points, v) for v in range(len(points.question.values))]
    fits = fits_of(points)
    at = int(points.profit.mean(axis=1).argmax())
    here = next(v for v, row in enumerate(rows) if row.current)
    optimum, at_the_end, even = _turning_points(points, fits)
    return Curve(
        points,
        rows,
        fits,
        optimum,
        at_the_end,
        even,
        at,
        bands.mean(points.profit[at] - points.profit[here]) if at != here else Band(0.0, 0.0, 0.0),
        _saturated_from(points),
    )


def _row(points: Points, v: int) -> Row:
    spend, value = points.spend[v], points.value[v]
    return Row(
        value=points.question.values[v],
        current=points.question.values[v] == points.question.current,
        spend=bands.mean(spend),
        incremental=bands.mean(value),
        profit=bands.mean(points.profit[v]),
        romi=bands.romi(points.gross[v], spend),
        marginal_romi=_marginal(points, v),
        iroas=bands.ratio(value, spend),
        credited_roas=bands.ratio(points.credited[v], spend),
        direct=float(points.direct[v].mean()),
        others_spend=float(points.others_spend[v].mean()),
        cpa=_over(spend, points.credited_conversions[v]),
        true_cpa=_over(spend, points.conversions[v]),
        cpm=_over(1000.0 * spend, points.impressions[v]),
        impressions=float(points.impressions[v].mean()),
        clicks=float(points.clicks[v].mean()),
        reach=float(points.reach[v].mean()),
        frequency=_over(points.impressions[v], points.reach[v]),
    )


def _over(above: NDArray[np.float64], below: NDArray[np.float64]) -> float | None:
    return float(above.sum() / below.sum()) if below.sum() > 0 else None


def _marginal(points: Points, v: int) -> Band:
    """Return of the last step's extra spend; the first step starts from no campaign at all."""
    before_spend = points.spend[v - 1] if v else np.zeros_like(points.spend[0])
    before_gross = points.gross[v - 1] if v else np.zeros_like(points.gross[0])
    step = points.spend[v] - before_spend
    if step.mean() <= LEAST_RISE * points.spend[v].mean():
        return UNKNOWN
    return bands.romi(points.gross[v] - before_gross, step)


def fits_of(points: Points) -> list[Fit]:
    """Fits to the means, with standard errors from leaving out one seed after the other (jackknife)."""
    spend, value = _distinct(points)
    if len(spend) == 0:
        return []
    errors = np.array([bands.standard_error(row) for row in value])
    fits, count = fit_all(spend.mean(axis=1), value.mean(axis=1), errors), spend.shape[1]
    if count < 3:
        return fits
    left_out: dict[str, list[tuple[float, ...]]] = {fit.family: [] for fit in fits}
    for s in range(count):
        keep = np.arange(count) != s
        for fit in fit_all(spend[:, keep].mean(axis=1), value[:, keep].mean(axis=1), errors, fits):
            left_out.setdefault(fit.family, []).append(fit.parameters)
    return [fit._replace(errors=_jackknife(left_out[fit.family], len(fit.parameters))) for fit in fits]


def _jackknife(estimates: list[tuple[float, ...]], count: int) -> tuple[float, ...]:
    if len(estimates) < 2:
        return (math.nan,) * count
    all_of = np.array(estimates)
    spread = (len(all_of) - 1) / len(all_of) * np.sum((all_of - all_of.mean(axis=0)) ** 2, axis=0)
    return tuple(float(x) for x in np.sqrt(spread))


def _distinct(points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spend and value without the points past saturation, which repeat the last one below it."""
    keep, last = [], -math.inf
    for v, spend in enumerate(points.spend.mean(axis=1)):
        if spend > 0 and spend > last * (1.0 + LEAST_RISE):
            keep.append(v)
            last = float(spend)
    return points.spend[keep], points.value[keep]


def _turning_points(points: Points, fits: list[Fit]) -> tuple[float | None, bool, float | None]:
    """Optimum, whether it is the end of the range, and break-even, under the best fit and within what was measured."""
    high = float(points.spend.mean(axis=1).max())
    if high <= 0:
        return None, False, None
    if not fits or points.margin <= 0:
        return 0.0, False, None  # every unit of money spent is lost
    fit, margin = fits[0], points.margin
    best = best_spend(lambda s: float(fit(s)) if s > 0 else 0.0, margin, 0.0, high)
    return best.spend, best.at_the_end, break_even(lambda s: float(fit(s)), margin, 0.0, high)


def _saturated_from(points: Points) -> float | None:
    spends = points.spend.mean(axis=1)
    if spends[-1] <= 0:
        return None
    for v in range(1, len(spends)):
        if (spends[v:] <= spends[v - 1] * (1.0 + LEAST_RISE)).all():
            return points.question.values[v - 1]
    return None


def answers(curve: Curve) -> dict[str, Any]:
    """The short answers, for machines: None where there is none."""
    question, here, best = curve.points.question, curve.current, curve.rows[curve.best_row]
    fit = curve.fits[0] if curve.fits else None
    optimum = None
    if curve.optimum is not None:
        optimum = {
            "spend": curve.optimum,
            question.lever: curve.setting_for(curve.optimum),
            "romi": romi_at(lambda s: float(fit(s)), curve.points.margin, curve.optimum) if fit else None,
            "at_the_end_of_the_range": curve.optimum_at_the_end,
        }
    return {
        "campaign": question.campaign_id,
        "setting": question.lever,
        "currency": question.base.currency,
        "margin": curve.points.margin,
        "seeds": list(question.seeds),
        "current": _point(here, question.lever),
        "best_tested": {**_point(best, question.lever), "profit_above_current": curve.gain._asdict()},
        "optimum": optimum,
        "break_even_spend": curve.break_even,
        "saturated_from": curve.saturated_from,
        "fits": [
            {"family": f.family, "parameters": list(f.parameters), "rmse": f.rmse, "r2": f.r2} for f in curve.fits
        ],
    }


def _point(row: Row, lever: str) -> dict[str, Any]:
    return {
        lever: row.value,
        "spend": row.spend.mean,
        "incremental_value": row.incremental.mean,
        "profit": row.profit.mean,
        "romi": row.romi._asdict(),
        "marginal_romi": row.marginal_romi._asdict(),
    }


def in_words(curve: Curve, money: Callable[[float | None], str]) -> list[str]:
    """What a person reads first; *money* formats an amount."""
    if max(row.spend.mean or 0.0 for row in curve.rows) == 0.0:
        bids = float(curve.points.bids.sum())
        why = "it never bid: look at its targeting, floors and budget" if bids == 0 else "it bid and never won"
        return [f"The campaign bought nothing at any {curve.points.question.lever}, so there is no return: {why}."]
    lines = [_now(curve, money), *_best(curve, money)]
    if curve.break_even is not None:
        lines.append(f"Above {money(curve.break_even)} the campaign costs more than it brings.")
    if curve.saturated_from is not None:
        shown = _setting(curve, curve.saturated_from, money)
        lines.append(f"From {shown} on, more of it buys nothing more.")
    return lines


def _setting(curve: Curve, value: float, money: Callable[[float | None], str]) -> str:
    lever = curve.points.question.lever
    return f"{lever} {money(value) if lever == 'budget' else f'{value:g}'}"


def _now(curve: Curve, money: Callable[[float | None], str]) -> str:
    here = curve.current
    setting = _setting(curve, here.value, money)
    if here.romi.mean is None or here.spend.mean is None:
        return f"Now, at {setting}, nothing is spent."
    line = f"Now: {setting}, spend {money(here.spend.mean)}, ROMI {_percent(here.romi)}"
    if not curve.fits:
        return f"{line}."
    fit = curve.fits[0]
    marginal = signed_percent(curve.points.margin * float(fit.slope(here.spend.mean)) - 1.0)
    return f"{line}; of the next unit spent: {marginal} ({fit.family} curve)."


def _best(curve: Curve, money: Callable[[float | None], str]) -> list[str]:
    if float(curve.points.value.sum()) <= 0.0:
        return ["The ads add no value: every unit spent is lost, and the best spend is nothing."]
    if not curve.fits or curve.optimum is None:
        return ["There are too few points to fit a curve."]
    best, gain = curve.rows[curve.best_row], curve.gain
    if curve.optimum_at_the_end:
        where = "all that was tried; a wider range may hold a better one"
        lines = [f"Best spend under the {curve.fits[0].family} curve: {money(curve.optimum)}, {where}."]
    else:
        lines = [f"Best spend under the {curve.fits[0].family} curve: {money(curve.optimum)}."]
    if not best.current:
        sure = "" if gain.low is None else f" (95 %: {money(gain.low)} to {money(gain.high)})"
        setting = _setting(curve, best.value, money)
        lines.append(f"Best of those tried: {setting}, profit {money(gain.mean)} above now's{sure}.")
    return lines


def _percent(band: Band) -> str:
    text = signed_percent(band.mean)
    if band.low is None or band.high is None:
        return text
    return f"{text} ({signed_percent(band.low)} to {signed_percent(band.high)})"

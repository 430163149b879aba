"""Lookalikes: people who resemble a seed in what is known of them, scored in compiled code.

A person's features are tags, events, sources and values of attributes (numbers by fifths), without those the seed's own
rule looks at. The score is the log-odds of belonging to the seed, features taken as independent (Bernoulli naive Bayes
with add-one smoothing). Quality is judged on a half of the seed that the scores have not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dmp.errors import SegmentError
from dmp.evidence import Chunk, Evidence, Flags, Latest

FEWEST_SEEDS = 10
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
FEW_VALUES = 8
"""A number with no more values than these, such as a flag, is taken by its values and not by fifths."""
MOST_TEXTS = 1000
"""Values of a text attribute that count, the first met."""
_SHIFT = 24
_COMPRESS = 4_000_000
_NO_PAIRS = np.empty(0, np.int64)


class Features(NamedTuple):
    """What is known of each person: features first[p] .. first[p + 1] of `feature` are person p's."""

    names: list[str]
    first: NDArray[np.int64]
    feature: NDArray[np.int32]


class _Collector:
    """Pairs of person and feature, each once."""

    def __init__(self, without: Collection[str]) -> None:
        self.without, self.code = without, dict[str, int]()
        self._pairs: list[NDArray[np.int64]] = []
        self._waiting = 0

    def add(self, name: str, person_ix: NDArray[np.int64], of: str | None = None) -> None:
        """The persons have the feature; *of* is what `without` calls it."""
        if (of or name) in self.without or not len(person_ix):
            return
        code = self.code.setdefault(name, len(self.code))
        if code >= 1 << _SHIFT:
            raise SegmentError(
                f"more than {1 << _SHIFT:,} different tags, events and values; too many to compare people by"
            )
        self._pairs.append(person_ix << _SHIFT | code)
        self._waiting += len(self._pairs[-1])
        if self._waiting > _COMPRESS:
            self._pairs, self._waiting = [self.pairs()], 0

    def pairs(self) -> NDArray[np.int64]:
        every = np.sort(np.concatenate([*self._pairs, _NO_PAIRS]))
        first = np.ones(len(every), np.bool_)
        first[1:] = every[1:] != every[:-1]
        return every[first]


def features_of(evidence: Evidence, without: Collection[str] = ()) -> Features:
    """Features of everybody, in one pass over the records."""
    collected = _Collector(without)
    latest = {
        name: Latest(name, kind == "text", evidence.people)
        for name, kind in evidence.attributes.items()
        if f"attribute {name}" not in without
    }
    for chunk in evidence.chunks(["event", "tags", *(answer.column for answer in latest.values())]):
        _from_records(chunk, collected)
        for answer in latest.values():
            answer.take(chunk)
    for name, answer in latest.items():
        _from_attribute(name, answer, collected)
    pairs = collected.pairs()
    first = np.searchsorted(pairs >> _SHIFT, np.arange(evidence.people + 1))
    return Features(list(collected.code), first, (pairs & ((1 << _SHIFT) - 1)).astype(np.int32))


def _from_records(chunk: Chunk, collected: _Collector) -> None:
    collected.add(f"source {chunk.source}", chunk.person_ix)
    if chunk.has("event"):
        names, code = chunk.events
        for number, name in enumerate(names):
            collected.add(f"event {name}", chunk.person_ix[code == number])
    if chunk.has("tags"):
        names, code, record = chunk.tags
        for number, name in enumerate(names):
            collected.add(f"tag {name}", chunk.person_ix[record[code == number]])


def _from_attribute(name: str, latest: Latest, collected: _Collector) -> None:
    known = np.flatnonzero(~np.isnan(latest.value))
    value = latest.value[known]
    if latest.is_text:
        for text, code in list(latest.texts.items())[:MOST_TEXTS]:
            collected.add(f"{name} is {text}", known[value == code])
    elif len(values := np.unique(value)) <= FEW_VALUES:
        for each in values.tolist():
            collected.add(f"{name} is {each:g}", known[value == each])
    else:
        edges = np.unique(np.quantile(value, [0.2, 0.4, 0.6, 0.8]))
        fifth = np.searchsorted(edges, value, side="right")
        for number in np.unique(fifth).tolist():
            low = f"{edges[number - 1]:g} or more" if number else f"below {edges[0]:g}"
            collected.add(f"{name} {low}", known[fifth == number])


@njit(cache=True)
def _count(
    first: NDArray[np.int64], feature: NDArray[np.int32], seed: NDArray[np.bool_], features: int
) -> NDArray[np.int64]:
    """int64[2, features]: how many of the others, and of the seed, have each feature."""
    counts = np.zeros((2, features), np.int64)
    for p in range(len(seed)):
        for at in range(first[p], first[p + 1]):
            counts[int(seed[p]), feature[at]] += 1
    return counts


@njit(cache=True)
def _score(
    first: NDArray[np.int64], feature: NDArray[np.int32], weight: NDArray[np.float64], base: float
) -> NDArray[np.float64]:
    """float64[persons]: the sum of each person's weights."""
    score = np.empty(len(first) - 1)
    for p in range(len(score)):
        total = base
        for at in range(first[p], first[p + 1]):
            total += weight[feature[at]]
        score[p] = total
    return score


class Model(NamedTuple):
    """Weight of each feature, and the score of having none."""

    weight: NDArray[np.float64]
    base: float


def fit(features: Features, seed: Flags) -> Model:
    """Log-odds of each feature between *seed* (bool[persons]) and everybody else."""
    counts = _count(features.first, features.feature, seed, len(features.names))
    sizes = np.array([(~seed).sum(), seed.sum()])[:, None]
    share = (counts + 1.0) / (sizes + 2.0)
    absent = np.log1p(-share[1]) - np.log1p(-share[0])
    return Model(np.log(share[1]) - np.log(share[0]) - absent, float(absent.sum()))


def scores(features: Features, model: Model) -> NDArray[np.float64]:
    """float64[persons]: the higher, the more like the seed."""
    return np.asarray(_score(features.first, features.feature, model.weight, model.base))


def lookalikes(evidence: Evidence, seed: Flags, share: float, without: Collection[str]) -> Flags:
    """bool[persons]: the *share* of those outside the seed who score highest. Raises `SegmentError` for a tiny seed."""
    _need(seed)
    features = features_of(evidence, without)
    score = scores(features, fit(features, seed))
    others = np.flatnonzero(~seed)
    best = others[np.argsort(-score[others], kind="stable")[: round(share * len(others))]]
    flags = np.zeros(len(seed), np.bool_)
    flags[best] = True
    return flags


def _need(seed: Flags) -> None:
    if seed.sum() < FEWEST_SEEDS or (~seed).sum() < FEWEST_SEEDS:
        raise SegmentError(
            f"a lookalike needs at least {FEWEST_SEEDS} persons in its seed and as many outside; "
            f"here are {int(seed.sum())} and {int((~seed).sum())}"
        )


def quality(features: Features, seed: Flags, shares: Sequence[float] = SHARES, luck: int = 0) -> list[dict[str, Any]]:
    """How many of a hidden half of the seed are found in audiences of growing size.

    Scores are fitted on the other half, drawn by *luck*; candidates are all people but that half. One row per share of
    them: persons, hidden seeds found, their share, and the lift over picking at random. Raises `SegmentError`.
    """
    _need(seed)
    shown = seed & (np.random.default_rng(luck).random(len(seed)) < 0.5)
    hidden = seed & ~shown
    score = scores(features, fit(features, shown))
    candidates = np.flatnonzero(~shown)
    order = candidates[np.argsort(-score[candidates], kind="stable")]
    found = np.concatenate([[0], np.cumsum(hidden[order])])
    rows = []
    for share in shares:
        persons = max(1, round(share * len(order)))
        got = int(found[persons])
        part = got / max(1, int(hidden.sum()))
        rows.append({"share": share, "persons": persons, "found": got, "found_share": part})
        rows[-1]["lift"] = part / (persons / len(order))
    return rows


def strongest(features: Features, seed: Flags, most: int = 10) -> list[dict[str, Any]]:
    """The features that tell the seed from the others best, with their weights (log-odds)."""
    weight = fit(features, seed).weight
    order = np.argsort(-np.abs(weight), kind="stable")[:most]
    return [{"feature": features.names[k], "weight": float(weight[k])} for k in order.tolist()]

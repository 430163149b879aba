"""Which creatives fit an impression. Sizes in pixels, durations in s; sets of creatives are integers, a bit for each.

A creative is numbered once, over all campaigns. What an impression asks for becomes an AND of such sets, so the cost
does not grow with the creatives there are; `Shelf.among` then says which campaigns are left.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bidder.plan import CampaignPlan, CreativePlan

Key = TypeVar("Key")
KINDS = ("banner", "video", "native", "audio")
MIMES = {"video": "video/mp4", "audio": "audio/mpeg"}
USUAL_S = 15
"""Length of a made-up video or audio ad nobody asks anything of."""
CONTENT_TAXONOMY_1 = 1
"""`cattax` of the IAB Content Taxonomy 1.0, which is meant where nothing is said."""
REMEMBERED = 4096
"""Sets of creatives whose campaigns are kept; more than that are met only under attack."""


def made_up(plan: CampaignPlan) -> Iterator[CreativePlan]:
    """One ad of each kind for a campaign that brings none: it fits any size and length."""
    name = plan.product or plan.campaign_id
    domain = f"{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-') or 'advertiser'}.example"
    title = re.sub(r"[-_.]+", " ", name).strip().capitalize() or name
    for kind in KINDS:
        creative_id = f"{plan.campaign_id}/{kind}"
        suffix = {"video": "mp4", "audio": "mp3"}.get(kind)
        yield CreativePlan(
            creative_id=creative_id,
            kind=kind,  # type: ignore[arg-type]
            brand=title,
            click_url=f"https://{domain}/",
            domains=(domain,),
            title=title,
            text=f"Everything about {title}",
            media_url=None if suffix is None else f"https://{domain}/{kind}.{suffix}",
            mime=MIMES.get(kind, ""),
        )


class Shelf:
    """Every creative of every campaign."""

    def __init__(self, plans: Sequence[CampaignPlan]) -> None:
        self.creatives: list[CreativePlan] = []
        """By number."""
        self.campaign_ix: list[int] = []
        """Whose each one is."""
        for c, plan in enumerate(plans):
            for creative in plan.creatives or made_up(plan):
                self.creatives.append(creative)
                self.campaign_ix.append(c)
        self._words = max(1, -(-len(plans) // 64))
        self._among: dict[int, NDArray[np.uint64]] = {}
        self._own = [0] * len(plans)
        for number, c in enumerate(self.campaign_ix):
            self._own[c] |= 1 << number
        self.all = (1 << len(self.creatives)) - 1
        self.kinds = {kind: self.where(creative.kind == kind for creative in self.creatives) for kind in KINDS}
        self.any_size = self.where(creative.size is None for creative in self.creatives)
        self.sizes = self._by(((c.size,) if c.size is not None else ()) for c in self.creatives)
        self.durations = self._by((c.duration_s,) for c in self.creatives)
        self.mimes = self._by((c.mime,) for c in self.creatives)
        self.via_deal = self.where(bool(plans[c].target.deals) for c in self.campaign_ix)
        """Those of campaigns that buy inside deals only."""
        self.insecure = self.where(not c.secure for c in self.creatives)
        self.attributes = self._by(c.attributes for c in self.creatives)
        self.bundles = self._by(((c.bundle,) if c.bundle is not None else ()) for c in self.creatives)
        self.categorised = self.where(bool(c.categories) for c in self.creatives)
        self.taxonomies = self._by(((c.category_taxonomy,) if c.categories else ()) for c in self.creatives)
        """Creatives that name their categories, by taxonomy."""
        self.codes = {t: self._by(_codes(c, t) for c in self.creatives) for t in self.taxonomies}
        """By taxonomy and category, as named."""
        self.categories = {
            t: self._by({up for code in _codes(c, t) for up in and_parent(code, t)} for c in self.creatives)
            for t in self.taxonomies
        }
        """By taxonomy and category, those it is a part of included."""
        self.domains = self._by(itertools.chain.from_iterable(map(and_parents, c.domains)) for c in self.creatives)

    def where(self, flags: Iterable[bool]) -> int:
        """The set of creatives whose flag is set; one flag for each."""
        return sum(1 << k for k, flag in enumerate(flags) if flag)

    @staticmethod
    def any_of(sets: Mapping[Key, int], values: Iterable[Key]) -> int:
        """The creatives that have one of *values*."""
        found = 0
        for value in values:
            found |= sets.get(value, 0)
        return found

    def among(self, creatives: int) -> NDArray[np.uint64]:
        """uint64[ceil(C / 64)]: bit c is set when campaign c has a creative in the set."""
        words = self._among.get(creatives)
        if words is None:
            if len(self._among) >= REMEMBERED:
                self._among.clear()
            flags = np.zeros(64 * self._words, np.uint8)
            flags[[ix for number, ix in enumerate(self.campaign_ix) if creatives >> number & 1]] = 1
            words = self._among[creatives] = np.packbits(flags, bitorder="little").view("<u8").astype(np.uint64)
        return words

    def own(self, campaign_ix: int) -> int:
        """The campaign's creatives."""
        return self._own[campaign_ix]

    def first(self, creatives: int, campaign_ix: int) -> CreativePlan:
        """The campaign's first creative in the set, which holds one."""
        own = creatives & self._own[campaign_ix]
        return self.creatives[(own & -own).bit_length() - 1]

    def _by(self, values: Iterable[Iterable[Key]]) -> dict[Key, int]:
        """For each value, the set of creatives that have it."""
        sets: dict[Key, int] = {}
        for k, held in enumerate(values):
            for value in held:
                sets[value] = sets.get(value, 0) | 1 << k
        return sets


def and_parents(domain: str) -> Iterator[str]:
    """A domain and those it is a part of: who blocks example.com, or its www., blocks shop.example.com too."""
    labels = domain.lower().rstrip(".").split(".")
    for k in range(max(1, len(labels) - 1)):
        name = ".".join(labels[k:])
        yield name
        yield f"www.{name}"


def and_parent(code: str, taxonomy: int) -> Iterator[str]:
    """A category and the one it is a part of: IAB8-1 and IAB8. Only taxonomy 1 shows that in its codes."""
    yield code
    if taxonomy == CONTENT_TAXONOMY_1 and "-" in code:
        yield code.partition("-")[0]


def _codes(creative: CreativePlan, taxonomy: int) -> tuple[str, ...]:
    """The creative's categories in that taxonomy."""
    return creative.categories if creative.category_taxonomy == taxonomy else ()

"""From the creatives of a scenario to the bidder's: what is left unsaid is filled in here."""

from __future__ import annotations

from urllib.parse import urlsplit

from bidder.creatives import MIMES
from bidder.plan import CreativePlan
from experiments.scenario.campaigns import Campaign
from experiments.scenario.creatives import Creative
from openrtb.secure import loads_securely


def compile_creatives(campaign_id: str, campaign: Campaign) -> tuple[CreativePlan, ...]:
    """A campaign's ads in scenario order; none where the scenario names none."""
    return tuple(_creative(campaign_id, campaign, name, ad) for name, ad in campaign.creatives.items())


def _creative(campaign_id: str, campaign: Campaign, name: str, ad: Creative) -> CreativePlan:
    brand = ad.brand or campaign.product or campaign_id
    domains = tuple(ad.domains) or (urlsplit(ad.click).hostname or "",)
    mime, media = ad.mime or MIMES.get(ad.kind, ""), ad.media
    if mime and media is None:
        media = f"https://{domains[0]}/{name}.{mime.rpartition('/')[2]}"
    loaded = (ad.image, media)
    return CreativePlan(
        creative_id=f"{campaign_id}/{name}",
        kind=ad.kind,
        brand=brand,
        click_url=ad.click,
        domains=domains,
        size=None if ad.width is None or ad.height is None else (ad.width, ad.height),
        duration_s=ad.duration_s,
        categories=tuple(ad.categories),
        category_taxonomy=ad.category_taxonomy,
        attributes=tuple(ad.attributes),
        secure=all(url is None or loads_securely(url) for url in loaded),
        bundle=ad.bundle,
        title=ad.title or brand,
        text=ad.text or "",
        call=ad.call,
        image_url=ad.image,
        media_url=media,
        mime=mime,
    )

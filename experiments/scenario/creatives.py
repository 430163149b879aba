"""The ads of a campaign: what they look like and what the wire says about them. Sizes in pixels, durations in s."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from experiments.scenario.parts import Part

Domain = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")]
Address = Annotated[str, Field(pattern=r"^https?://[^\s\x00-\x20<>\"]+$", max_length=2000)]
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f\ufffe\uffff]*$")]
"""One line, without characters that XML cannot hold."""
Pixels = Annotated[int, Field(ge=1, le=10_000)]


class Creative(Part):
    """One ad."""

    kind: Literal["banner", "video", "native", "audio"]
    """What it is; banners run in slots of the formats display and mobile."""
    brand: Text | None = None
    """Who advertises, as people read it; missing: the campaign's product or name."""
    click: Address
    """Where a click leads."""
    domains: list[Domain] = Field(default_factory=list, max_length=10)
    """Domains of the advertiser (`adomain`), which sellers may block; missing: the one of `click`."""
    width: Pixels | None = None
    """Width (pixels); missing, as `height`: it is drawn to the size asked for."""
    height: Pixels | None = None
    """Height (pixels)."""
    duration_s: Annotated[int, Field(ge=1, le=3600)] | None = None
    """Length of a video or audio ad (s); missing: it is cut to what is asked for."""
    categories: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,20}$")]] = Field(default_factory=list)
    """Codes of what it advertises (`cat`), which sellers may block."""
    category_taxonomy: Annotated[int, Field(ge=1)] = 1
    """Taxonomy of those codes (`cattax`); 1: IAB Content Taxonomy 1.0."""
    attributes: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)
    """Creative attributes (`attr`, AdCOM 1.0), which sellers may block."""
    bundle: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")] | None = None
    """The app it advertises, which sellers may block."""
    title: Text | None = None
    """Headline; missing: the brand."""
    text: Text | None = None
    """A sentence."""
    call: Text = "Find out more"
    """What the button says."""
    image: Address | None = None
    """The image of a banner or native ad; missing: words on a coloured ground, which load nothing."""
    media: Address | None = None
    """The file of a video or audio ad; missing: one named after the ad on the advertiser's domain."""
    mime: Literal["video/mp4", "video/webm", "audio/mpeg", "audio/mp4", "audio/ogg"] | None = None
    """Type of that file; missing: video/mp4 or audio/mpeg."""

    @model_validator(mode="after")
    def _fits(self) -> Creative:
        if (self.width is None) != (self.height is None):
            raise ValueError("give both width and height, or neither")
        heard = self.kind in ("video", "audio")
        for name in ("duration_s", "media", "mime"):
            if getattr(self, name) is not None and not heard:
                raise ValueError(f"{name} is for video and audio, and this is a {self.kind} ad; remove it")
        if self.mime is not None and not self.mime.startswith(f"{self.kind}/"):
            raise ValueError(f"mime {self.mime} is not {self.kind}; change one of the two")
        if self.image is not None and heard:
            raise ValueError(f"image is for banners and native ads, and this is {self.kind}; remove it")
        if self.width is not None and self.kind not in ("banner", "video"):
            raise ValueError(f"a {self.kind} ad has no size of its own; remove width and height")
        return self

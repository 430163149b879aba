"""The manifest: what made a run, and how to make it again. Times are s; `started_at` is ISO 8601 in UTC."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("bidlab", "numpy", "numba", "simpy", "pyarrow", "matplotlib")
"""Packages whose versions a manifest records, besides Python's."""


def versions() -> dict[str, str]:
    """Version of Python and of each of `PACKAGES`."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def scenario_hash(scenario_yaml: str) -> str:
    """SHA-256 (hex) of the scenario as resolved."""
    return hashlib.sha256(scenario_yaml.encode()).hexdigest()


def now_utc() -> str:
    """This moment, ISO 8601 in UTC to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Manifest:
    """What made a run. `command` remakes it; `start` is the scenario's first moment (ISO 8601, local time)."""

    name: str
    seed: int
    driver: str
    scenario_hash: str
    auctions: int
    command: str
    title: str = ""
    currency: str = "EUR"
    start: str = ""
    days: float = 0.0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    started_at: str = field(default_factory=now_utc)
    platform: str = field(default_factory=platform.platform)
    versions: Mapping[str, str] = field(default_factory=versions)

    def as_dict(self) -> dict[str, Any]:
        """Plain dict, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Manifest:
        """The manifest that `as_dict` gave. Raises TypeError for a missing or unknown key."""
        return cls(**values)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

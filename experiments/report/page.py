"""The page (first version)."""

from __future__ import annotations

from typing import NamedTuple

from experiments.results.manifest import Manifest
from experiments.results.tables import Tables


class Report(NamedTuple):
    """The page and the plots in it (PNG by name)."""

    html: str
    plots: dict[str, bytes]


def build_report(tables: Tables, *, title: str, currency: str, manifest: Manifest) -> Report:
    """The page and its plots."""
    return Report(f"<!doctype html><title>{manifest.name}</title>", {})


def write_report(tables: Tables, *, title: str, currency: str, manifest: Manifest) -> str:
    """The page alone."""
    return build_report(tables, title=title, currency=currency, manifest=manifest).html

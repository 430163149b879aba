"""Strategies written by users: the Python file a campaign's `strategy` names, read and looked at but not run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_BYTES = 1_000_000


class BadStrategy(Exception):
    """The file cannot be used; the message says why and what to write."""


def strategy_source(campaign: Mapping[str, Any], folder: Path) -> str | None:
    """Text of the file a campaign names, from its own `strategy_source`, *folder* or the current folder.

    None for a campaign that names none, or none that can be one. Raises `BadStrategy`.
    """
    named, source = campaign.get("strategy"), campaign.get("strategy_source")
    if not isinstance(named, str):
        return None
    file, _, function = named.rpartition(":")
    if not file.endswith(".py") or not function.isidentifier():
        raise BadStrategy(f"{named!r} names no function; write file.py:function, for example my_bid.py:bid")
    if source is None:
        source = _read(folder, file)
    if not isinstance(source, str):
        return None
    from bidder.errors import StrategyError
    from bidder.strategy import StrategyPlan, check_source

    try:
        check_source(StrategyPlan(file, source, function))
    except StrategyError as error:
        raise BadStrategy(str(error)) from None
    return source


def _read(folder: Path, file: str) -> str:
    path = next((place / file for place in (folder, Path()) if (place / file).is_file()), None)
    if path is None:
        raise BadStrategy(
            f"there is no file {file} beside the scenario or here; `bidlab init --strategy {file}` makes one"
        )
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadStrategy(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    if len(raw) > MAX_BYTES:
        raise BadStrategy(f"{path} is larger than a million bytes; that is no strategy")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadStrategy(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None

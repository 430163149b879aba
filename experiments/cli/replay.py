"""`bidlab replay LOG`: a recorded bid log under a bidding rule, a parameter grid and a budget."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from experiments.errors import ReplayError

if TYPE_CHECKING:
    from rich.progress import Progress

    from experiments.replay.grid import ReplayRow
    from experiments.replay.log import BidLog
    from experiments.replay.programme import Market

T = TypeVar("T")
Play = Callable[..., "list[ReplayRow]"]
"""Replays a log for several budgets: (log, *, budgets, on_run)."""


def replay(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="`click price pCTR` rows, CSV/TSV (gzip too) or Parquet.")],
    bid: Annotated[str, typer.Option(help="Bidding rule: const, lin, mcpc, ortb1, ortb2, or a programme: rlb, mdp.")],
    param: Annotated[
        str | None,
        typer.Option(
            help="Parameters: 5,10,15 or 5:300:5 (end included). const: the bid; lin: the bid at "
            "the average click rate; ortb1 and ortb2: lambda; the others have none."
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Budget per episode in the log's price unit, or several: 1000,2000. Without it: enough for every row."
        ),
    ] = None,
    win: Annotated[
        str | None,
        typer.Option(help="gt: a bid must be above the price (default); ge: a tie wins (always so with rlb, mdp)."),
    ] = None,
    stop: Annotated[
        str | None,
        typer.Option(
            help="after: stop right after the win that crosses the budget (default); before: bids are cut to the "
            "budget left, so none crosses it (always so with rlb, mdp)."
        ),
    ] = None,
    episode: Annotated[int | None, typer.Option(metavar="ROWS", help="Refill the budget every ROWS auctions.")] = None,
    cap: Annotated[int | None, typer.Option(metavar="BID", help="Highest bid.")] = None,
    stats: Annotated[
        Path | None, typer.Option(metavar="LANDSCAPE.json", help="Training totals and price histogram.")
    ] = None,
    base_ctr: Annotated[
        float | None, typer.Option(help="lin, rlb, mdp: average click rate, instead of the one in --stats.")
    ] = None,
    max_ecpc: Annotated[float | None, typer.Option(help="mcpc: highest cost per click, instead of --stats.")] = None,
    landscape_c: Annotated[float | None, typer.Option(help="ortb1, ortb2: constant c, instead of --stats.")] = None,
    smoothing: Annotated[
        float | None, typer.Option(help="rlb, mdp: added to the count of every training price (default 1).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the rows to a .parquet or .csv too.")] = None,
) -> None:
    """Replay a recorded bid log under a bidding rule, a parameter grid and a budget."""
    from experiments.replay.grid import Settings, parse_budgets, parse_params
    from experiments.replay.output import check_out, print_rows, write_rows
    from experiments.replay.programme import PROGRAMMES, run_programme
    from experiments.replay.rules import RULES

    _one_of("--bid", bid, dict.fromkeys([*RULES, *PROGRAMMES]))
    planned = bid in PROGRAMMES
    settings = Settings(
        tie_wins=_fixed("--win", win, {"gt": False, "ge": True}, "ge" if planned else None, bid, "gt"),
        may_cross=_fixed("--stop", stop, {"after": True, "before": False}, "before" if planned else None, bid, "after"),
        episode_rows=_at_least("--episode", episode, 1),
        cap=_at_least("--cap", cap, 0),
    )
    params = parse_params(param, bid)
    budgets = None if budget is None else parse_budgets(budget)
    if out is not None:
        check_out(out)
    given = {"--base-ctr": base_ctr, "--max-ecpc": max_ecpc, "--landscape-c": landscape_c, "--smoothing": smoothing}
    if not (planned or RULES[bid].uses_param) and len(params) > 1:
        print(f"bidlab: --bid {bid} has no parameter; every --param gives the same run", file=sys.stderr)
    play: Play
    if planned:
        market = _market(bid, stats, given)
        play = partial(run_programme, bid=bid, market=market, episode_rows=settings.episode_rows, cap=settings.cap)
    else:
        from experiments.replay.grid import run_grid

        play = partial(run_grid, bid=bid, scale=_scale(bid, stats, given), params=params, settings=settings)
    rows = _replayed(log, play, len(params), budgets)
    if out is not None:
        write_rows(rows, out)
    print_rows(rows, as_json, sys.stdout)


def _fixed(option: str, name: str | None, choices: dict[str, T], only: str | None, bid: str, otherwise: str) -> T:
    """Return the choice called *name*; *only*, if there is one, is the sole choice that rule *bid* knows."""
    if name is None:
        return choices[only or otherwise]
    choice = _one_of(option, name, choices)
    if only is not None and name != only:
        raise ReplayError(f"{option} {name}: --bid {bid} plans with {option} {only} alone; leave it out")
    return choice


def _one_of(option: str, name: str, choices: dict[str, T]) -> T:
    if name not in choices:
        import difflib

        near = difflib.get_close_matches(name, choices, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ReplayError(f"{option} {name}: must be one of {', '.join(choices)}{hint}")
    return choices[name]


def _at_least(option: str, value: int | None, lowest: int) -> int | None:
    if value is not None and not lowest <= value < 2**63:
        raise ReplayError(f"{option} {value}: must be a whole number from {lowest}")
    return value


def _only(bid: str, given: dict[str, float | None], wanted: tuple[str | None, ...]) -> None:
    for name, value in given.items():
        if value is not None and name not in wanted:
            raise ReplayError(f"{name} has no meaning with --bid {bid}; leave it out")


def _scale(bid: str, stats: Path | None, given: dict[str, float | None]) -> float:
    """Return the rule's own constant: the option if given, else from the landscape file."""
    from experiments.replay.landscape import read_stats
    from experiments.replay.rules import RULES

    training = None if stats is None else read_stats(stats)
    option = RULES[bid].scale_option
    _only(bid, given, (option,))
    if option is None:
        return 1.0
    value = given[option]
    if value is not None:
        if not (math.isfinite(value) and value > 0):
            raise ReplayError(f"{option} {value}: must be a number above 0")
        return value
    if training is None:
        raise ReplayError(f"--bid {bid} needs the training totals: give --stats LANDSCAPE.json, or {option} itself")
    if option == "--base-ctr":
        return training.base_ctr()
    return training.max_ecpc() if option == "--max-ecpc" else float(training.landscape_c(RULES[bid].power))


def _market(bid: str, stats: Path | None, given: dict[str, float | None]) -> Market:
    """Return what a programme plans with: the smoothed price histogram and the average click rate."""
    from experiments.replay.landscape import read_stats
    from experiments.replay.programme import Market

    _only(bid, given, ("--base-ctr", "--smoothing"))
    if stats is None:
        raise ReplayError(f"--bid {bid} needs the training prices: give --stats LANDSCAPE.json")
    smoothing, rate = given["--smoothing"], given["--base-ctr"]
    if smoothing is not None and not 0 <= smoothing <= 1e300:
        raise ReplayError(f"--smoothing {smoothing}: must be a number from 0")
    if rate is not None and not 0 < rate <= 1:
        raise ReplayError(f"--base-ctr {rate}: must be a probability above 0")
    training = read_stats(stats)
    share = training.price_share(1.0 if smoothing is None else smoothing)
    return Market(share, training.base_ctr() if rate is None else rate)


def _replayed(path: Path, play: Play, runs_per_budget: int, budgets: list[int] | None) -> list[ReplayRow]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        log = _read(path, progress)
        if budgets is None:
            budgets = [max(log.price_sum, 1)]
        task = progress.add_task("replaying", total=runs_per_budget * len(budgets))
        return play(log, budgets=budgets, on_run=lambda: progress.advance(task))


def _read(path: Path, progress: Progress) -> BidLog:
    from experiments.replay.log import read_log

    size = path.stat().st_size if path.is_file() else None
    task = progress.add_task(f"reading {path.name}", total=size)
    return read_log(path, lambda position: progress.update(task, completed=position))

"""`bidlab load URL`: OpenRTB traffic of a scenario on any bidder, in open loop, with thresholds and an exit code."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.errors import RunError, ThresholdBroken

if TYPE_CHECKING:
    from experiments.load.require import Requirement
    from experiments.load.run import LoadSpec, Tick
    from experiments.setting import Setting

FIND_MAX_DEFAULTS = ("timeouts<0.1%", "errors<0.1%")
_SHARES = ("--win-share", "--billing-share", "--fault-share")


def load(
    url: Annotated[str, typer.Argument(help="Where bid requests go: http://host:port/openrtb2/bid.")],
    scenario: Annotated[
        str, typer.Option(help="Whose traffic, campaigns and caps: a file or a shipped one.")
    ] = "learning",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change one setting of the scenario: people.count=500.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Requests per second; with --find-max the first that is tried.")] = 100.0,
    duration: Annotated[float, typer.Option(help="How long (s); with --find-max each step.")] = 10.0,
    ramp: Annotated[float, typer.Option(help="Part of it in which the rate rises from 0 (s).")] = 0.0,
    connections: Annotated[int, typer.Option(min=1, max=10_000, help="Connections kept open.")] = 64,
    tmax_ms: Annotated[float | None, typer.Option(help="Time to answer, instead of the scenario's (ms).")] = None,
    win_share: Annotated[float, typer.Option(help="Share of valid bids that win.")] = 0.3,
    billing_share: Annotated[float, typer.Option(help="Share of wins that are billed.")] = 1.0,
    require: Annotated[list[str] | None, typer.Option(help="A threshold: 'p99<20ms', 'timeouts<0.1%'.")] = None,
    find_max: Annotated[bool, typer.Option("--find-max", help="Search the highest rate within them.")] = False,
    faults: Annotated[str, typer.Option(help="Packs, by comma: malformed,oversize,slow,vanish,lost,late,...")] = "",
    fault_share: Annotated[float, typer.Option(help="Share of requests, and of notices, a fault befalls.")] = 0.02,
    seed: Annotated[int, typer.Option(help="Of the moments at which requests leave.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for result.json and report.html.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Load a bidder and measure it; exit code 1 when a threshold is broken."""
    from experiments.load.require import requirement
    from experiments.scenario.loader import load as load_scenario
    from experiments.setting import make_ready

    _check_numbers(
        {"--rate": rate, "--duration": duration},
        {"--ramp": ramp, "--win-share": win_share, "--billing-share": billing_share, "--fault-share": fault_share},
    )
    texts = list(require or []) or (list(FIND_MAX_DEFAULTS) if find_max else [])
    requirements = [requirement(text) for text in texts]
    plan = load_scenario(scenario, list(overrides or []))
    spec = _spec(url, plan.currency, tmax_ms or plan.wire.tmax_ms, faults, fault_share, connections, seed)
    spec = spec._replace(
        pace=spec.pace._replace(rate_per_s=rate, duration_s=duration, ramp_s=min(ramp, duration)),
        ratios=spec.ratios._replace(win=win_share, billing=billing_share),
    )
    setting = make_ready(plan)
    folder = None if out is None else _made(out / f"{datetime.now():%Y%m%d-%H%M%S}-load-{plan.name}")
    result = _search(spec, setting, requirements) if find_max else _once(spec, setting, _progress())
    result["scenario"] = plan.name
    result["currency"] = plan.currency
    result["requirements"] = [
        {k: getattr(r, k) for k in ("text", "measure", "limit", "unit")}
        | {"value": r.value(result), "met": r.met(result)}
        for r in requirements
    ]
    if folder is not None:
        _write(folder, result, plan.name)
    print(json.dumps(result, indent=2) if as_json else _summary(result))
    if folder is not None and not as_json:
        print(f"report: {folder / 'report.html'}")
    broken = [
        f"{r['text']} is broken: it is {r['value']:.4g}{r['unit']}" for r in result["requirements"] if not r["met"]
    ]
    if broken:
        raise ThresholdBroken("; ".join(broken))
    if result["sent"] and not result["counts"]["answered"]:
        told = ", ".join(f"{error}: {n:,}" for error, n in result["errors"].items()) or "time-outs only"
        raise ThresholdBroken(f"{url}: not one request was answered ({told}); look at the address and the bidder's log")


def _check_numbers(above_zero: dict[str, float], shares: dict[str, float]) -> None:
    for option, value in above_zero.items():
        if not 0.0 < value < 1e9:
            raise RunError(f"{option} {value}: must be a number above 0")
    for option, value in shares.items():
        if not 0.0 <= value <= (1.0 if option in _SHARES else 1e9):
            raise RunError(f"{option} {value}: must be {'from 0 to 1' if option in _SHARES else 'a number from 0'}")


def _spec(
    url: str, currency: str, tmax_ms: float, faults: str, fault_share: float, connections: int, seed: int
) -> LoadSpec:
    from yarl import URL

    from experiments.load.faults import NOTICE_PACKS, REQUEST_PACKS
    from experiments.load.feedback import NoticeFaults
    from experiments.load.run import LoadSpec
    from experiments.load.traffic import Pace

    with suppress(ValueError):
        target = URL(url, encoded=True)
        if target.scheme in ("http", "https") and target.host:
            every = list(dict.fromkeys((*REQUEST_PACKS, *NOTICE_PACKS)))
            packs = [pack.strip() for pack in faults.split(",") if pack.strip()]
            packs = every if packs == ["all"] else packs
            unknown = [pack for pack in packs if pack not in every]
            if unknown:
                known = ", ".join((*every, "all"))
                raise RunError(f"--faults {unknown[0]}: there is no such pack; packs: {known}")
            return LoadSpec(
                url,
                Pace(1.0, 1.0),
                connections,
                tmax_ms / 1000.0,
                max(1.0, 5.0 * tmax_ms / 1000.0),
                currency,
                request_packs=tuple(pack for pack in packs if pack in REQUEST_PACKS),
                notice_faults=NoticeFaults(**{pack: fault_share for pack in packs if pack in NOTICE_PACKS}),
                fault_share=fault_share,
                seed=seed,
            )
    raise RunError(f"{url}: is no address; write for example http://127.0.0.1:8080/openrtb2/bid")


def _once(spec: LoadSpec, setting: Setting, progress: Callable[[Tick], None] | None) -> dict[str, Any]:
    from experiments.load.run import LoadRun, result_of
    from experiments.load.traffic import Contents
    from experiments.load.watch import Watch

    run = LoadRun(spec, Contents(setting, spec.tmax_s * 1000.0), Watch(setting.plans), progress)
    _run(run.run(), spec.url)
    return result_of(run)


def _search(spec: LoadSpec, setting: Setting, requirements: list[Requirement]) -> dict[str, Any]:
    from experiments.load.run import LoadRun, result_of
    from experiments.load.search import find_max
    from experiments.load.traffic import Contents
    from experiments.load.watch import Watch

    # One account over all steps: a budget does not begin anew because we do.
    contents, watch = Contents(setting, spec.tmax_s * 1000.0), Watch(setting.plans)

    def run_at(rate_per_s: float) -> dict[str, Any]:
        pace = spec.pace._replace(rate_per_s=rate_per_s, ramp_s=min(1.0, spec.pace.duration_s / 4.0))
        run = LoadRun(spec._replace(pace=pace), contents, watch, _progress())
        _run(run.run(), spec.url)
        return result_of(run)

    best, steps = find_max(run_at, spec.pace.rate_per_s, requirements)
    tried = [
        {"rate_per_s": s.rate_per_s, "held": s.held, "why": s.why, "p99_ms": s.result["latency_ms"]["p99"]}
        for s in steps
    ]
    chosen = best or steps[0]
    return {**chosen.result, "highest_rate_per_s": best.rate_per_s if best else 0.0, "steps": tried}


def _run(main: Any, url: str) -> None:
    try:
        asyncio.run(main)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"{url}: nobody can be reached there ({reason}); start the bidder or mend the address") from None


def _progress() -> Callable[[Tick], None] | None:
    """A line on stderr, renewed every second; nothing off a terminal."""
    if not sys.stderr.isatty():
        return None

    def show(tick: Tick) -> None:
        line = (
            f"\r{tick.second:>4} s  {tick.sent:>7,}/s sent  {tick.answered:>7,}/s answered  {tick.bids:>6,} bids  "
            f"p50 {tick.p50_ms:7.2f} ms  p99 {tick.p99_ms:7.2f} ms  {tick.timeouts:,} late  {tick.errors:,} errors  "
        )
        print(line, end="", file=sys.stderr, flush=True)

    return show


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made ({error.strerror}); choose another --out") from None
    return folder


def _write(folder: Path, result: dict[str, Any], name: str) -> None:
    from experiments.load.page import render

    try:
        (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        (folder / "report.html").write_text(render(result, f"Load on a bidder: {name}"), "utf-8")
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from None


def _summary(result: dict[str, Any]) -> str:
    """The result in a few lines."""
    ms, counts, sent = result["latency_ms"], result["counts"], max(1, result["sent"])
    lines = [
        f"{result['sent']:,} requests sent, {counts['answered']:,} answered ({result['rate_per_s']:,.0f}/s); "
        f"{counts['bids']:,} with bids ({result['bid_rate']:.1%})",
        "latency from the intended moment, ms: " + "  ".join(f"{name} {value:.2f}" for name, value in ms.items()),
        f"generator late by {result['send_lag_ms']['p50']:.2f} ms (p50), {result['send_lag_ms']['p99']:.2f} ms (p99)",
        f"{counts['timeouts']:,} time-outs ({counts['timeouts'] / sent:.2%}), {counts['errors']:,} errors, "
        f"{counts['invalid']:,} invalid answers",
    ]
    lines += [f"  {why}: {n:,}" for table in (result["errors"], result["invalid"]) for why, n in table.items()]
    for title, table in (("notices", result["notices"]), ("faulty requests", result["faults"])):
        for kind, answers in table.items():
            lines.append(f"{title}: {kind}: " + ", ".join(f"{answer} {n:,}" for answer, n in answers.items()))
    spent = "  ".join(f"{name} {nanos / 1e9:.6f}" for name, nanos in result["spent_nanos"].items())
    lines += [f"spent ({result['currency']}): {spent}"] if spent else []
    lines += [f"VIOLATION: {told}" for told in result["violations"]] or ["no budget or cap broken, no forgery accepted"]
    for step in result.get("steps", []):
        lines.append(f"  {step['rate_per_s']:>10,.0f}/s {'held' if step['held'] else step['why']}")
    if "highest_rate_per_s" in result:
        lines.append(f"highest rate: {result['highest_rate_per_s']:,.0f}/s")
    return "\n".join(lines)

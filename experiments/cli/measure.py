"""`bidlab measure ...`: attribution, experiments and their size, accounts; each beside the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.cli.tables import print_table
from experiments.errors import StudyError

measure = typer.Typer(help="What ads did, as measured, beside the truth.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change one setting of the scenario.")]


def show(rows: list[dict[str, Any]], title: str) -> None:
    """Rows of equal keys as a table; numbers to the right, what is unknown a dash."""
    keys = list(rows[0]) if rows else []
    names = next((k for k, key in enumerate(keys) if not isinstance(rows[0][key], str)), len(keys))
    cells = [[_cell(value, _unit(name, row)) for name, value in row.items()] for row in rows]
    print_table([key.replace("_", " ") for key in keys], cells, title, max(1, names))


def _unit(name: str, row: dict[str, Any]) -> str:
    """Returns are told in per cent as everywhere else, and the difference of two in percentage points."""
    if row.get("measure") == "romi":
        return "pp" if name.startswith("difference") else "%"
    return "%" if "romi" in name else ""


def _cell(value: Any, unit: str = "") -> str:
    """A value as people read it; *unit* is % for shares, pp (percentage points) for differences of them."""
    if value is None:
        return "–"
    if unit and isinstance(value, float):
        from experiments.report.words import signed_percent  # the report's room brings matplotlib: not for `--help`

        return signed_percent(value).replace("%", unit)
    return value if isinstance(value, str) else f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


@measure.command("power")
def power(
    rate: Annotated[float, typer.Option(help="Purchases per person without ads.")],
    lift: Annotated[float | None, typer.Option(help="Relative lift to see: 0.1 for +10 %.")] = None,
    people: Annotated[int | None, typer.Option(help="People per arm there are, instead of --lift.")] = None,
    power: Annotated[float, typer.Option(help="Chance to see it.")] = 0.8,
    level: Annotated[float, typer.Option(help="Chance to see what is not there.")] = 0.05,
    as_json: AsJson = False,
) -> None:
    """People per arm that an experiment needs, or the smallest lift that it can see."""
    from experiments.measure.power import people_per_arm, smallest_lift

    if (lift is None) == (people is None):
        raise StudyError("give either --lift or --people")
    if lift is not None:
        needed = people_per_arm(rate, lift, power, level)
        told: dict[str, Any] = {"people_per_arm": needed}
        said = f"{needed:,} people per arm see {100 * lift:+.3g} % of {rate:g}"
        said += f" with {100 * power:.3g} % power at level {level:g}"
    else:
        assert people is not None
        least = smallest_lift(rate, people, power, level)
        told = {"smallest_lift": least if least < float("inf") else None}
        said = f"{people:,} people per arm see a lift of {100 * least:+.3g} % of {rate:g}, and no smaller one"
    print(json.dumps(told) if as_json else said)


@measure.command("attribution")
def attribution(
    source: Annotated[str, typer.Argument(help="A CSV of paths (gzip too), or a scenario to run.")],
    overrides: Changes = None,
    out: Annotated[Path | None, typer.Option(help="Write the rows to this Parquet file too.")] = None,
    as_json: AsJson = False,
) -> None:
    """First, last, linear, time decay, position, Markov and Shapley; beside the truth when a scenario is run."""
    from experiments.measure.credits import credits_of_file, credits_of_scenario
    from experiments.results.tables import build_table, write_parquet

    if source.endswith((".csv", ".csv.gz")):
        rows = credits_of_file(Path(source))
    else:
        from experiments.scenario.loader import load

        rows = credits_of_scenario(load(source, overrides or []))
    if out is not None:
        names = list(rows[0]) if rows else ["rule", "product_id", "channel", "conversions", "value"]
        try:
            write_parquet(build_table("attribution", {name: [row[name] for row in rows] for name in names}), out)
        except OSError as error:
            raise StudyError(f"{out}: cannot be written ({error.strerror}); choose another --out") from None
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    from experiments.measure.credits import by_channel

    for product_id, table in by_channel(rows).items():
        show(table, f"conversions by channel{f', {product_id}' if product_id else ''}")


@measure.command("experiment")
def experiment(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="The campaign that is tested; needed when there are several.")
    ] = None,
    designs: Annotated[
        list[str] | None, typer.Option("--design", help="itt, psa, ghost or geo; several may be given.")
    ] = None,
    share: Annotated[float, typer.Option(help="Share of people who may see it.")] = 0.5,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats, each with its own people.")] = 1,
    overrides: Changes = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write the table and the figure to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run experiments inside the simulation; each estimate beside the truth, with its bias and its cost."""
    from experiments.cli.cells_bar import runs_bar
    from experiments.measure.designs import designed
    from experiments.measure.trials import repeat, summarise
    from experiments.romi.question import chosen_campaign
    from experiments.scenario.loader import load

    base = load(scenario, overrides or [])
    campaign = chosen_campaign(base, campaign)
    chosen = designs or ["itt", "psa", "ghost"]
    for design in chosen:
        designed(base, campaign, design, share)  # refuse before anything runs
    with runs_bar("experiments", len(chosen) * repeats) as on_run:
        trials = {design: repeat(base, campaign, design, repeats, share, on_run) for design in chosen}
    if out is not None:
        _write_trials(trials, campaign, base.currency, out)
    rows = [summarise(estimates)._asdict() for estimates in trials.values()]
    if as_json:
        single = {d: [e._asdict() for e in estimates] for d, estimates in trials.items()}
        print(json.dumps({"designs": rows, "repeats": single}, indent=2))
        return
    show(rows, f"purchases caused by {campaign}; money in {base.currency}; means of {repeats} repeats")


def _write_trials(trials: dict[str, Any], campaign: str, currency: str, out: Path) -> None:
    from experiments.measure.trials import figure
    from experiments.report.plots import style
    from experiments.results.study_folder import write_study
    from experiments.results.tables import build_table

    columns: dict[str, list[Any]] = {name: [] for name in ("campaign_id", "repeat")}
    for estimates in trials.values():
        for number, found in enumerate(estimates):
            for name, value in {"campaign_id": campaign, "repeat": number, **found._asdict()}.items():
                columns.setdefault(name, []).append(value)
    with style.look():
        png = style.png_of(figure(trials, campaign, currency))
    write_study(out, {"experiments": build_table("experiments", columns)}, {"experiments.png": png})


@measure.command("accounts")
def accounts(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    overrides: Changes = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write the tables to.")] = None,
    as_json: AsJson = False,
) -> None:
    """ROMI, ROAS, CPA, reach by campaign, format, publisher, place, device, segment; profit and loss by customers."""
    from experiments.cli.interrupts import held_interrupts
    from experiments.cli.run import progress_bar
    from experiments.measure.accounts import accounts_of, customers_of
    from experiments.results.study_folder import write_study
    from experiments.results.tables import build_table
    from experiments.run import DRIVERS
    from experiments.scenario.loader import load
    from experiments.setting import make_ready

    base = load(scenario, overrides or [])
    setting = make_ready(base)
    with held_interrupts() as check, progress_bar(base, check) as progress:
        ledger, _ = DRIVERS[base.driver](setting, progress)
    found = {"accounts": accounts_of(setting, ledger), "customers": customers_of(setting, ledger)}
    if out is not None:
        from experiments.results.study_dictionary import STUDIES

        tables = {
            name: build_table(
                name, {column.name: [row[column.name] for row in rows] for column in STUDIES[name].columns}
            )
            for name, rows in found.items()
        }
        write_study(out, tables, {})
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for name, rows in found.items():
        show([_in_units(row) for row in rows], f"{name}; money in {base.currency}")


def _in_units(row: dict[str, Any]) -> dict[str, Any]:
    """A row with nanos as units of the currency, for reading."""
    return {
        name.removesuffix("_nanos").removeprefix("truth_" if "romi" in name or "iroas" in name else ""): (
            value / 1e9 if name.endswith("_nanos") else value
        )
        for name, value in row.items()
    }

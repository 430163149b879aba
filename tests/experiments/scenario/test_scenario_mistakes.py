"""Every kind of mistake: refused, with the line, the path, the rule and a remedy, all at once."""

from __future__ import annotations

import pytest

from experiments.errors import ScenarioError
from experiments.scenario import Scenario, load_text

GOOD = """\
name: small
days: 2
people:
  count: 100
  interests: {cars: 0.6}
segments:
  drivers: {interest: cars, recall: 0.5}
products:
  tyres: {interest: cars}
publishers:
  paper:
    rivals: crowd
    slots:
      top: {format: display}
deals:
  gold: {publisher: paper, slots: [top], floor: 1}
rivals:
  crowd: {kind: independent, count: 2, price: {kind: uniform, low: 0, high: 1}}
  nobody: {kind: none}
traffic: {requests_per_day: 1000}
campaigns:
  launch:
    product: tyres
    start: 2026-01-05
    end: 2026-01-06
    budget: {total: 10, daily: 5}
    goal: {kind: cpc, value: 1}
    bid: {kind: constant, price: 1}
    target: {segments: {any: [drivers]}, publishers: [paper], deals: [gold]}
    caps: [{limit: 3, per: 1d}]
"""

MISTAKES = [
    # what to replace, by what, the line, the path, and words of the message
    ("days: 2", "dayz: 2", 2, "dayz", ["unknown key", "did you mean days?"]),
    ("days: 2", "days: two", 2, "days", ["must be a number, not 'two'"]),
    ("days: 2", 'days: "2"', 2, "days", ["must be a number, not text '2'", "remove the quotes"]),
    ("days: 2", "days: true", 2, "days", ["must be a number, not true"]),
    ("days: 2", "days: .nan", 2, "days", ["finite"]),
    ("days: 2", "days: .inf", 2, "days", ["finite"]),
    ("days: 2", "days: 1e999", 2, "days", ["finite"]),
    ("days: 2", "days:", 2, "days", ["is empty; write a number"]),
    ("days: 2", "days: 2\ndays: 3", 2, "days", ["given twice, on lines 2 and 3"]),
    ("days: 2", f"days: {'9' * 400}", 2, "days", ["400 characters"]),
    ("days: 2", "days: 2\nstart: 2026-13-01", 3, "start", ["is not a date or time"]),
    ("days: 2", "days: 2\nstart: 12", 3, "start", ["is not a date or time"]),
    ("days: 2", "days: 2\nstart: 2026-01-05T00:00:00Z", 3, "start", ["time zone"]),
    ("days: 2", "days: 2\nstart: 9999-01-05", 3, "start", ["in the years 1900 to 9900"]),
    ("days: 2", "days: 2\ncurrency: euro", 3, "currency", ["three capital letters"]),
    ("name: small", "name: 12", 1, "name", ["must be text, not 12", "put it in quotes"]),
    ("name: small", "name: a b", 1, "name", ["is not a name"]),
    ("name: small", "name: !!str small", 1, "name", ["tags"]),
    ("count: 100", "count: 100.0", 4, "people.count", ["must be a whole number", "write 100"]),
    ("count: 100", "count: yes", 4, "people.count", ["must be a whole number, not 'yes'"]),
    ("count: 100", "count: 0", 4, "people.count", ["at least 1, not 0"]),
    ("count: 100", "count: *all", 4, "people.count", ["aliases (*all)"]),
    ("{cars: 0.6}", "{cars: 60}", 5, "people.interests.cars", ["at most 1, not 60"]),
    ("interest: cars, r", "interest: car, r", 7, "segments.drivers.interest", ["no interest", "did you mean cars?"]),
    ("recall: 0.5", "precision: 0.3", 7, "segments.drivers.precision", ["cannot be reached", "at least 0.6"]),
    ("{interest: cars}\n", "{interest: bikes}\n", 9, "products.tyres.interest", ["no interest", "'bikes'"]),
    ("{interest: cars}\n", "{effect: {off_interest: 0.5}}\n", 9, "products.tyres.effect.off_interest", ["no meaning"]),
    ("{interest: cars}\n", "{effect: {off_window: 0}}\n", 9, "products.tyres.effect.off_window", ["in_market"]),
    (
        "{interest: cars}\n",
        "{in_market: {cycle_days: 5, window_days: 6}}\n",
        9,
        "products.tyres.in_market",
        ["must not exceed"],
    ),
    ("{interest: cars}\n", "{effect: {formats: {banner: 2}}}\n", 9, "products.tyres.effect.formats.banner", ["video"]),
    ("    rivals: crowd\n", "", 11, "publishers.paper.rivals", ["must say which rivals", "crowd, nobody"]),
    ("rivals: crowd", "rivals: crwd", 12, "publishers.paper.rivals", ["no rivals", "did you mean crowd?"]),
    ("format: display", "format: displai", 14, "publishers.paper.slots.top.format", ["did you mean display?"]),
    ("top: {format: display}", "top: {}", 14, "publishers.paper.slots.top.format", ["is missing"]),
    ("top: {format: display}", "to p: {format: display}", 14, "publishers.paper.slots.to p", ["is not a name"]),
    ("publisher: paper", "publisher: papr", 16, "deals.gold.publisher", ["no publisher", "did you mean paper?"]),
    ("slots: [top]", "slots: [tip]", 16, "deals.gold.slots.0", ["has no slot 'tip'", "did you mean top?"]),
    ("slots: [top]", "slots: []", 16, "deals.gold.slots", ["covers no slot"]),
    ("kind: uniform", "kind: unifrom", 18, "rivals.crowd.price.kind", ["did you mean uniform?"]),
    ("low: 0", "low: 4", 18, "rivals.crowd.price", ["low (4) must be below high (1)"]),
    ("{kind: none}", "{}", 19, "rivals.nobody.kind", ["is missing", "highest, independent, none"]),
    ("{kind: none}", "[]", 19, "rivals.nobody", ["must be a mapping with a kind, not a list"]),
    ("{kind: none}", "", 19, "rivals.nobody", ["is empty"]),
    ("{kind: none}", "{kind: none, count: 3}", 19, "rivals.nobody.count", ["unknown key"]),
    ("per_day: 1000", "per_day: -5", 20, "traffic.requests_per_day", ["above 0, not -5"]),
    ("1000}", "1000, hours: [1, 2]}", 20, "traffic", ["168 weights"]),
    ("1000}", "1000, hours: diurnl}", 20, "traffic.hours", ["did you mean diurnal?"]),
    ("1000}", "1000, hours: [1, x]}", 20, "traffic.hours.1", ["must be a number"]),
    ("1000}", "1000, hours_file: no.csv}", 20, "traffic.hours_file", ["no file"]),
    ("product: tyres", "product: tires", 23, "campaigns.launch.product", ["no product", "did you mean tyres?"]),
    ("    product: tyres\n", "", 26, "campaigns.launch.goal", ["add product"]),
    ("end: 2026-01-06", "end: 2026-01-04", 25, "campaigns.launch.end", ["is not after start"]),
    ("start: 2026-01-05", "start: 2026-01-09", 25, "campaigns.launch.end", ["is not after start"]),
    ("    end: 2026-01-06\n", "    end: 2026-02-30\n", 25, "campaigns.launch.end", ["is not a date or time"]),
    ("total: 10", "total: -10", 26, "campaigns.launch.budget.total", ["above 0, not -10"]),
    ("total: 10", "total: 0", 26, "campaigns.launch.budget.total", ["above 0, not 0"]),
    ("total: 10, daily: 5", "total: 1e-12", 26, "campaigns.launch.budget.total", ["nano"]),
    ("total: 10", "total: .nan", 26, "campaigns.launch.budget.total", ["finite"]),
    ("total: 10", "total: 4", 26, "campaigns.launch.budget.daily", ["more than the total", "lower daily"]),
    ("kind: cpc", "kind: cpx", 27, "campaigns.launch.goal.kind", ["'cpx' is not one of cpa, cpc, cpm, private"]),
    ("kind: constant", "kind: linea", 28, "campaigns.launch.bid.kind", ["did you mean linear?"]),
    ("kind: constant", "kind: [a]", 28, "campaigns.launch.bid.kind", ["a list is not one of"]),
    ("kind: constant, price", "kind: constant, pryce", 28, "campaigns.launch.bid.pryce", ["did you mean price?"]),
    ("[drivers]", "[driver]", 29, "campaigns.launch.target.segments.any.0", ["did you mean drivers?"]),
    ("[drivers]", "drivers", 29, "campaigns.launch.target.segments.any", ["must be a list", "write [drivers]"]),
    ("[drivers]", "[drivers], none: [drivers]", 29, "campaigns.launch.target.segments.any", ["nobody fits"]),
    (
        "any: [drivers]",
        "all: [drivers], none: [drivers]",
        29,
        "campaigns.launch.target.segments.none",
        ["also listed under all"],
    ),
    ("publishers: [paper]", "publishers: [pape]", 29, "campaigns.launch.target.publishers.0", ["did you mean paper?"]),
    ("deals: [gold]", "deals: [god]", 29, "campaigns.launch.target.deals.0", ["did you mean gold?"]),
    ("deals: [gold]", "places: [rome]", 29, "campaigns.launch.target.places.0", ["no place"]),
    ("deals: [gold]", "formats: [video]", 29, "campaigns.launch.target", ["no slot of any publisher fits"]),
    ("deals: [gold]", "devices: [tv]", 29, "campaigns.launch.target", ["no slot of any publisher fits"]),
    ("limit: 3", "limit: 0", 30, "campaigns.launch.caps.0.limit", ["at least 1"]),
    ("per: 1d", "per: 1y", 30, "campaigns.launch.caps.0.per", ["'1y' is not a duration"]),
    ("per: 1d", "per: 0d", 30, "campaigns.launch.caps.0.per", ["is not a duration"]),
    (
        "    caps: [{limit: 3, per: 1d}]",
        "    caps: [" + "{limit: 3, per: 1d}, " * 9 + "]",
        30,
        "campaigns.launch.caps",
        ["has room for 8 entries, not 9"],
    ),
]


def error_of(text: str, *overrides: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        load_text(text, "plan.yaml", overrides)
    return caught.value


def test_the_good_one_loads() -> None:
    assert load_text(GOOD, "plan.yaml").campaigns["launch"].budget.total == 10


@pytest.mark.parametrize(("old", "new", "line", "path", "words"), MISTAKES, ids=[f"{m[3]}-{m[1]}" for m in MISTAKES])
def test_a_single_mistake(old: str, new: str, line: int, path: str, words: list[str]) -> None:
    assert GOOD.count(old) == 1, "the test must change exactly one place"
    error = error_of(GOOD.replace(old, new))
    line_of_path = [problem for problem in error.problems if problem.startswith(f"plan.yaml:{line}: {path}: ")]
    assert len(line_of_path) == 1, str(error)
    assert all(word in line_of_path[0] for word in words), str(error)


def test_one_mistake_gives_one_line() -> None:
    assert str(error_of(GOOD.replace("price: 1", "price: x"))) == (
        "plan.yaml:28: campaigns.launch.bid.price: must be a number, not 'x'; write a number"
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("days: 2", "dais: 2").replace("[drivers]", "[driver]").replace("total: 10", "total: -1")
    text = text.replace("interest: cars, r", "interest: car, r").replace("per: 1d", "par: 1d")
    error = error_of(text, "campaigns.launch.lookback_days=-3", "campaigns.lunch.caps=[]")
    assert [problem.split(": ")[:2] for problem in error.problems] == [
        ["plan.yaml:1", "days"],
        ["plan.yaml:2", "dais"],
        ["plan.yaml:7", "segments.drivers.interest"],
        ["--set campaigns.launch.lookback_days=-3", "campaigns.launch.lookback_days"],
        ["plan.yaml:26", "campaigns.launch.budget.total"],
        ["plan.yaml:29", "campaigns.launch.target.segments.any.0"],
        ["plan.yaml:30", "campaigns.launch.caps.0.per"],
        ["plan.yaml:30", "campaigns.launch.caps.0.par"],
        ["--set campaigns.lunch.caps=[]", "campaigns.lunch is no setting; did you mean launch?"],
    ] or str(error)
    assert str(error).startswith("9 mistakes in plan.yaml\n")


def test_a_window_outside_the_scenario_is_a_mistake() -> None:
    late = GOOD.replace("start: 2026-01-05", "start: 2026-01-07").replace("end: 2026-01-06", "end: 2026-01-08")
    assert "plan.yaml:24: campaigns.launch.start: 2026-01-07 00:00:00 is after" in str(error_of(late))
    early = GOOD.replace("start: 2026-01-05", "start: 2026-01-02").replace("end: 2026-01-06", "end: 2026-01-05")
    assert "plan.yaml:25: campaigns.launch.end: 2026-01-05 00:00:00 is before" in str(error_of(early))
    across = GOOD.replace("start: 2026-01-05", "start: 2026-01-02").replace("end: 2026-01-06", "end: 2026-03-05")
    assert load_text(across, "plan.yaml").days == 2


def test_the_model_itself_refuses_what_spans_parts() -> None:
    data = load_text(GOOD, "plan.yaml").model_dump()
    data["campaigns"]["launch"]["product"] = "tires"
    with pytest.raises(ValueError, match=r"campaigns\.launch\.product: no product is called 'tires'"):
        Scenario.model_validate(data)
    data["campaigns"]["launch"]["product"] = "tyres"
    data["traffic"]["hours_file"] = "hours.csv"
    with pytest.raises(ValueError, match="only when a scenario is loaded from a file"):
        Scenario.model_validate(data)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "plan.yaml:1: the file is empty"),
        ("# nothing here\n", "plan.yaml:1: the file is empty"),
        ("- a\n- b\n", "plan.yaml:1: the file must be a mapping"),
        ("just words", "plan.yaml:1: the file must be a mapping"),
        ("a: b: c\n", "plan.yaml:1: the file is not YAML: mapping values are not allowed"),
        ("name: x\ndays: [1, 2\n", "plan.yaml:3: the file is not YAML"),
        ("name: x\n\tdays: 1\n", "plan.yaml:2: the file is not YAML"),
        ("name: x\n---\nname: y\n", "plan.yaml:2: the file is not YAML: a second document"),
        ("? [a]\n: 1\n", "plan.yaml:1: the file is not YAML: a key must be a single word"),
        ("a: " + "[" * 100_000, "plan.yaml:1: the file is not YAML: nested more than 30 levels deep"),
        ("a: \x00", "the file is not YAML"),
    ],
)
def test_what_is_no_scenario_at_all(text: str, told: str) -> None:
    assert told in str(error_of(text))


def test_a_bomb_of_aliases_is_refused_without_being_built() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    error = error_of("l0: &l0 [a]\n" + levels)
    assert "aliases (*l0) are not read" in str(error)
    assert len(str(error)) < 50_000

"""Finding and reading scenario files, overrides, traffic files, round trips and hashes."""

from __future__ import annotations

import contextlib
import gzip
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.errors import ScenarioError
from experiments.scenario import dump_yaml, load, load_text, scenario_hash
from experiments.scenario.document import NotYaml, parse
from experiments.scenario.loader import SHIPPED, shipped_names

CASES = sorted((Path(__file__).parents[2] / "cases").glob("*.yaml"))
SCENARIOS = [SHIPPED / f"{name}.yaml" for name in shipped_names()] + CASES
SMALL = (SHIPPED / "learning.yaml").read_text("utf-8")


def refused(source: object, *overrides: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(source, overrides)  # type: ignore[arg-type]
    return str(caught.value)


def week(**changed: str) -> str:
    rows = [changed.get(f"r{day}_{hour}", f"{day},{hour},{hour + 1}") for day in range(7) for hour in range(24)]
    return "dow,hour,share\n" + "\n".join(row for row in rows if row) + "\n"


# --- finding the file


def test_a_shipped_scenario_is_loaded_by_its_bare_name() -> None:
    assert load("learning") == load(SHIPPED / "learning.yaml")


def test_a_file_of_that_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("learning").write_text(SMALL.replace("name: learning", "name: mine"))
    assert load("learning").name == "mine"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "there is no such file" in refused(tmp_path / "no.yaml")
    assert "did you mean retail-launch?" in refused("retail-lunch")
    assert "is a folder" in refused(tmp_path)
    assert "there is no such file" in refused("a\x00b")
    assert refused("x" * 5000).startswith("xxx"), "too long for a file name"
    (tmp_path / "latin.yaml").write_bytes(b"name: x\ntitle: caf\xe9\n")
    assert "latin.yaml:2: byte 0xe9 is not UTF-8" in refused(tmp_path / "latin.yaml")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load(tmp_path / "bom.yaml") == load("learning")


# --- overrides


def test_overrides_change_single_settings() -> None:
    changed = load(
        "learning",
        [
            "campaigns.awareness.budget.total=500",
            "wire.request_delay={kind: constant, ms: 3}",
            "campaigns.awareness.caps.0.limit=7",
            "campaigns.buyers.bid.multiplier=0.5",
            "products.espresso-machine.effect.formats.video=2",
            "start=2026-02-02 06:30",
        ],
    )
    assert changed.campaigns["awareness"].budget.total == 500
    assert changed.wire.request_delay.model_dump() == {"kind": "constant", "ms": 3.0}
    assert changed.campaigns["awareness"].caps[0].limit == 7
    assert changed.products["espresso-machine"].effect.formats == {"video": 2.0}
    assert changed.start == datetime(2026, 2, 2, 6, 30)
    assert load("learning") == load("learning", []), "the file itself is untouched"


def test_an_override_fills_in_defaults_on_its_way() -> None:
    case = next(path for path in CASES if path.stem == "uniform-second-price")
    assert load(case, ["wire.tmax_ms=50"]).wire.tmax_ms == 50
    assert load(case, ["wire.notice_delay.ms=5"]).wire.notice_delay.model_dump() == {"kind": "constant", "ms": 5.0}
    assert load(case, ["campaigns.truthful.bid.max=0.4"]).campaigns["truthful"].bid.max == 0.4


def test_names_with_dots_are_found() -> None:
    text = SMALL.replace("awareness:", "spring.2026:")
    assert load_text(text, "x", ["campaigns.spring.2026.budget.total=30"]).campaigns["spring.2026"].budget.total == 30


def test_an_override_mends_a_mistake_of_the_file() -> None:
    text = SMALL.replace("days: 2", "days: *x")
    assert load_text(text, "x.yaml", ["days=3"]).days == 3


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("days", "is not path.to.key=value"),
        ("=3", "is not path.to.key=value"),
        ("dais=3", "dais is no setting; did you mean days?"),
        ("campaigns.awarness.budget.total=3", "campaigns.awarness is no setting; did you mean awareness?"),
        ("campaigns.awareness.budget.totl=3", "did you mean total?"),
        ("campaigns.awareness.caps.4.limit=3", "has 1 entries, counted from 0; there is no '4'"),
        ("days.x=3", "days holds a single value; there is no x in it"),
        ("people.interests.tea=0.2", "people.interests.tea is no setting"),
        ("days=[1", "is not a value"),
        ("days=x", "--set days=x: days: must be a number, not 'x'"),
        ("campaigns.awareness.budget={total: 0}", "campaigns.awareness.budget.total: must be above 0"),
        ("campaigns.awareness.bid.kind=ortb", "campaigns.awareness.bid.kind: 'ortb' is not one of"),
    ],
)
def test_bad_overrides(override: str, told: str) -> None:
    message = refused("learning", override)
    assert f"--set {override}: " in message
    assert told in message


# --- traffic files


def test_a_traffic_file_becomes_weights(tmp_path: Path) -> None:
    text = SMALL.replace("  hours: diurnal ", "  hours_file: week.csv ")
    (tmp_path / "plan.yaml").write_text(text)
    (tmp_path / "week.csv").write_text(week())
    scenario = load(tmp_path / "plan.yaml")
    assert scenario.traffic.hours == [float(hour + 1) for _ in range(7) for hour in range(24)]
    assert load_text(dump_yaml(scenario), "x") == scenario, "the resolved scenario needs the file no more"
    (tmp_path / "week.csv").write_bytes(gzip.compress(week().encode()))
    assert load(tmp_path / "plan.yaml") == scenario


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (week()[:900].encode(), "is truncated"),
        (gzip.compress(week().encode())[:-20], "damaged or truncated gzip"),
        (b"", "week.csv:1: the first line must be dow,hour,share"),
        (b"day,hour,share\n", "week.csv:1: the first line must be dow,hour,share"),
        (week(r0_3="0,3,much").encode(), "week.csv:5: must be day,hour,share"),
        (week(r0_3="0,3").encode(), "week.csv:5: must be day,hour,share"),
        (week(r0_3="0,24,1").encode(), "week.csv:5: day must be 0 to 6"),
        (week(r0_3="0,3,nan").encode(), "week.csv:5: share must be a number"),
        (week(r0_3="0,3,-1").encode(), "week.csv:5: share must be a number"),
        (week(r0_3="0,2,1").encode(), "week.csv:5: day 0, hour 2 is given twice"),
        (week(r0_3="").encode(), "1 of the 168 hours are missing, the first is day 0, hour 3"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_bad_traffic_files(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "plan.yaml").write_text(SMALL.replace("  hours: diurnal ", "  hours_file: week.csv "))
    (tmp_path / "week.csv").write_bytes(content)
    message = refused(tmp_path / "plan.yaml")
    line = 1 + SMALL[: SMALL.index("  hours: diurnal")].count("\n")
    assert f"plan.yaml:{line}: traffic.hours_file: " in message
    assert told in message


# --- the way back


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_at_hand_survives_the_round_trip(path: Path) -> None:
    scenario = load(path)
    again = load_text(dump_yaml(scenario), "dumped.yaml")
    assert again == scenario
    assert scenario_hash(again) == scenario_hash(scenario)
    assert scenario.name == path.stem


def test_the_hash_sees_every_change_and_nothing_else() -> None:
    base = scenario_hash(load("learning"))
    assert scenario_hash(load_text(SMALL.replace("#", "# again"), "x")) == base
    assert scenario_hash(load("learning", ["tick_s=300"])) == base
    changes = ["seed=2", "title=x", "wire.tmax_ms=99", "campaigns.buyers.caps=[]", "driver=events"]
    hashes = {scenario_hash(load("learning", [change])) for change in changes}
    assert len(hashes | {base}) == len(changes) + 1


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
shares = st.floats(0, 1)
positives = st.floats(1e-6, 1e6)
words = st.text(max_size=40)


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, object]:
    """Small scenarios with awkward names, texts and numbers in every kind of place."""
    interests = draw(st.dictionaries(names, shares, min_size=1, max_size=3))
    slots = draw(
        st.dictionaries(names, st.fixed_dictionaries({"format": st.just("video"), "floor": positives}), min_size=1)
    )
    total = draw(st.floats(1e-3, 1e9))
    caps = st.fixed_dictionaries({"limit": st.integers(1, 100), "per": st.sampled_from(["1d", "90m", "0.5h"])})
    bid = st.one_of(
        st.fixed_dictionaries({"kind": st.just("constant"), "price": positives}),
        st.fixed_dictionaries({"kind": st.just("ortb1"), "c": positives, "rate_per_cpm": positives, "max": positives}),
    )
    campaign = st.fixed_dictionaries(
        {
            "budget": st.just({"total": total, "daily": total / 2}),
            "goal": st.just({"kind": "cpm", "value": draw(positives)}),
            "bid": bid,
            "caps": st.lists(caps, max_size=3),
            "target": st.just({"publishers": ["p"], "hours": [0, 167]}),
        }
    )
    return {
        "name": draw(names),
        "title": draw(words),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "days": draw(st.floats(0.01, 3660)),
        "start": draw(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))),
        "people": {"count": draw(st.integers(1, 50_000_000)), "interests": interests},
        "publishers": {"p": {"domain": draw(words), "slots": slots}},
        "rivals": {draw(names): {"kind": "none"}},
        "traffic": {"requests_per_day": draw(positives), "hours": draw(st.sampled_from(["flat", [1.0] * 168]))},
        "campaigns": draw(st.dictionaries(names, campaign, min_size=1, max_size=3)),
    }


@given(scenarios())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_dump_and_load_round_trip(data: dict[str, object]) -> None:
    from experiments.scenario import Scenario

    scenario = Scenario.model_validate(data)
    assert load_text(dump_yaml(scenario), "dumped.yaml") == scenario


# --- nothing but ScenarioError

yaml_like = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="ab:- \n[]{}&*!|>'\"#?%@`,.0e1\t~<=", max_size=200),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ).map(lambda data: yaml.safe_dump(data)),
)


@given(yaml_like)
@settings(max_examples=300, deadline=None)
def test_no_text_causes_anything_but_a_scenario_error(text: str) -> None:
    with pytest.raises(ScenarioError):
        load_text(text, "any.yaml")


junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), "constant", "2026-01-05", "nan", "1d", "coffee", "9999-12-31"]),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(
        st.sampled_from(["kind", "total", "x", "awareness"]), st.integers() | st.text(max_size=4), max_size=2
    ),
)
PATHS = list(parse(SMALL).lines)[1:]


@given(st.lists(st.tuples(st.sampled_from(PATHS), junk), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_no_damage_to_a_good_scenario_causes_anything_but_a_scenario_error(damage: list[tuple[tuple, object]]) -> None:
    data = parse(SMALL).data
    for path, value in damage:
        here = data
        for part in path[:-1]:
            inside = isinstance(here, dict) and part in here
            here = (
                here[part] if inside or (isinstance(here, list) and isinstance(part, int) and part < len(here)) else {}
            )
        if isinstance(here, dict):
            here[path[-1]] = value
    with contextlib.suppress(ScenarioError):
        scenario = load_text(yaml.safe_dump(data), "damaged.yaml")
        assert load_text(dump_yaml(scenario), "again.yaml") == scenario


@given(st.text(max_size=40), st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_no_override_causes_anything_but_a_scenario_error(path: str, value: str) -> None:
    with contextlib.suppress(ScenarioError):
        assert load_text(SMALL, "x.yaml", [f"{path}={value}"]).name


@given(st.dictionaries(st.text(max_size=6), st.integers() | st.booleans() | st.text(max_size=12), max_size=5))
@settings(max_examples=200, deadline=None)
def test_plain_data_is_read_as_the_dumper_wrote_it(data: dict[str, object]) -> None:
    from experiments.scenario.document import Dumper

    try:
        document = parse(yaml.dump(data, Dumper=Dumper, allow_unicode=True))
    except NotYaml:
        # Only characters YAML cannot carry may fail.
        assert any(not character.isprintable() for key, of in data.items() for character in f"{key}{of}")
    else:
        assert document.data == data
        assert {type(value) for value in document.data.values()} == {type(value) for value in data.values()}

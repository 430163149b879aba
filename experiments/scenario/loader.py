"""From a scenario file to a `Scenario`, with every mistake reported at once, and back again.

Steps: find the file → read it as data with lines (`document`) → apply ``--set`` (`overrides`) → read the traffic
shape and the strategies it points to (`hours_file`, `strategy_file`) → validate the parts (pydantic, `messages`) and
what spans them (`references`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

import yaml
from pydantic import ValidationError

from experiments.errors import ScenarioError
from experiments.scenario.document import Document, Dumper, NotYaml, parse
from experiments.scenario.hours_file import BadHours, read_hours
from experiments.scenario.messages import problems_in
from experiments.scenario.models import Scenario
from experiments.scenario.overrides import BadOverride, apply, split
from experiments.scenario.problems import Path, Problem, dotted, suggestion
from experiments.scenario.references import find_problems
from experiments.scenario.strategy_file import BadStrategy, strategy_source

SHIPPED = FilePath(__file__).parent / "shipped"
OTHER_KINDS = {
    "an exchange's configuration (bidlab exchange serve)": {"bidders", "placements"},
    "the JSON Schema that editors complete scenarios with": {"$schema", "$defs"},
    "the manifest of a run; its scenario.yaml lies beside it": {"scenario_hash", "versions"},
    "an OpenRTB request (bidlab explain)": {"id", "imp"},
    "the description of an audience's source (bidlab dmp import)": {"source", "identifiers"},
}
"""Files people hand over by mistake, each with the keys that tell it."""
MAX_BYTES = 64 * 1024 * 1024


def shipped_names() -> list[str]:
    """Names of the scenarios that come with bidlab."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load(source: str | FilePath, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in the file *source*, or the shipped one of that name; raises `ScenarioError`."""
    path = find(source)
    shown = path.name if path.parent == SHIPPED else str(path)
    return load_text(read(path), shown, overrides, folder=path.parent)


def find(source: str | FilePath) -> FilePath:
    """The file meant by a path or by the bare name of a shipped scenario; raises `ScenarioError`."""
    path, names = FilePath(source), shipped_names()
    try:
        if path.is_file():
            return path
        if str(source) in names:
            return SHIPPED / f"{source}.yaml"
        if path.is_dir():
            raise ScenarioError(f"{source}: is a folder; name the scenario file in it")
        exists = path.exists()
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{source}: cannot be opened ({getattr(error, 'strerror', None) or error})") from None
    if exists:
        return path
    raise ScenarioError(f"{source}: there is no such file and no shipped scenario of that name; {_near(path, names)}")


def _near(path: FilePath, names: list[str]) -> str:
    """What may have been meant: a scenario file in the same folder, else a shipped one."""
    here = {file.name: file for pattern in ("*.yaml", "*.yml") for file in path.parent.glob(pattern)}
    if path.stem in names:
        return f"did you mean {path.stem}?"
    for known in (here, dict.fromkeys(names)):
        hint = suggestion(path.name, known)
        if hint.startswith("did you mean"):
            name = hint.removeprefix("did you mean ").rstrip("?")
            return f"did you mean {here.get(name) or name}?"
    return "`bidlab scenarios` lists the shipped ones, `bidlab init plan.yaml` writes one to start from"


def read(path: FilePath) -> str:
    """The text of a scenario file; raises `ScenarioError`."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ScenarioError(f"{path}: is larger than {MAX_BYTES // 2**20} MiB; that is no scenario file")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ScenarioError(
            f"{path}:{line}: byte {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None


def load_text(text: str, source: str, overrides: Sequence[str] = (), folder: FilePath = FilePath()) -> Scenario:
    """The scenario in *text*; *source* names it in messages, *folder* is where its `hours_file` lies."""
    try:
        document = parse(text)
    except NotYaml as error:
        raise ScenarioError(f"{source}:{error.line}: the file is not YAML: {error}") from None
    if not isinstance(document.data, dict):
        told = "is empty" if document.data is None else "must be a mapping (key: value lines) at the top"
        raise ScenarioError(f"{source}:1: the file {told}; `bidlab init` writes a scenario to start from")
    if (other := _other_kind(document.data)) is not None:
        raise ScenarioError(f"{source}:1: this is {other}, not a scenario; `bidlab init` writes one to start from")
    return _Loading(document, source).scenario(overrides, folder)


def _other_kind(data: dict[Any, Any]) -> str | None:
    """What a file is that is plainly something else of ours; None for what may be a scenario, however broken."""
    if {"campaigns", "people", "publishers"} & data.keys():
        return None
    for told, keys in OTHER_KINDS.items():
        if keys <= data.keys():
            return told
    return None


class _Loading:
    """One document on its way to a `Scenario`, collecting mistakes."""

    def __init__(self, document: Document, source: str) -> None:
        self.document = document
        self.source = source
        self.data: Any = document.data
        self.problems = list(document.problems)
        self.set_by: dict[Path, str] = {}
        self.loose: list[str] = []

    def scenario(self, overrides: Sequence[str], folder: FilePath) -> Scenario:
        for override in overrides:
            self._override(override)
        # What spans parts is looked at before the traffic file replaces `hours`.
        spanning = find_problems(self.data)
        self._read_hours(folder)
        self._read_strategies(folder)
        try:
            scenario = Scenario.model_validate(self.data)
        except ValidationError as error:
            self.problems += problems_in(error, self.data)
        self.problems += spanning
        if self.problems or self.loose:
            raise self._error()
        return scenario

    def _override(self, override: str) -> None:
        try:
            text, value, problems = split(override)
            self.data, path = apply(self.data, text, value)
        except BadOverride as error:
            self.loose.append(f"--set {override}: {error}")
            return
        self.problems = [problem for problem in self.problems if problem.path[: len(path)] != path]
        self.problems += [Problem((*path, *problem.path), problem.message) for problem in problems]
        self.set_by[path] = override

    def _read_hours(self, folder: FilePath) -> None:
        traffic = self.data.get("traffic")
        if not isinstance(traffic, dict) or not isinstance(traffic.get("hours_file"), str):
            return
        try:
            weights = read_hours(folder / traffic["hours_file"])
        except BadHours as error:
            self.problems.append(Problem(("traffic", "hours_file"), str(error)))
            weights = [1.0] * 168
        self.data = {**self.data, "traffic": {**traffic, "hours": weights, "hours_file": None}}

    def _read_strategies(self, folder: FilePath) -> None:
        campaigns = self.data.get("campaigns")
        if not isinstance(campaigns, dict):
            return
        for name, campaign in campaigns.items():
            if not isinstance(campaign, dict):
                continue
            try:
                source = strategy_source(campaign, folder)
            except BadStrategy as error:
                self.problems.append(Problem(("campaigns", name, "strategy"), str(error)))
                source = "-"
            if source is not None:
                # A copy: what stands in the file is kept for the messages.
                campaigns = {**campaigns, name: {**campaign, "strategy_source": source}}
        self.data = {**self.data, "campaigns": campaigns}

    def _error(self) -> ScenarioError:
        lines = tuple(self._lines())
        if len(lines) == 1:
            return ScenarioError(lines[0], lines)
        return ScenarioError(f"{len(lines)} mistakes in {self.source}\n" + "\n".join(lines), lines)

    def _lines(self) -> Iterator[str]:
        """One line per mistake, in the order of the file; a path is reported once unless the words differ."""
        broken = {problem.path for problem in self.document.problems}
        unique = dict.fromkeys(self.problems)
        for path, message in sorted(unique, key=lambda problem: self.document.line(problem[0])):
            if path in broken and (path, message) not in self.document.problems:
                continue
            yield f"{self._place(path)}: {dotted(path)}: {message}" if path else f"{self._place(path)}: {message}"
        yield from self.loose

    def _place(self, path: Path) -> str:
        for length in range(len(path), 0, -1):
            if path[:length] in self.set_by:
                return f"--set {self.set_by[path[:length]]}"
        return f"{self.source}:{self.document.line(path)}"


def dump_yaml(scenario: Scenario) -> str:
    """The scenario as resolved, every default written out; loads back equal."""
    data = scenario.model_dump(mode="json")
    return str(yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120))


def scenario_hash(scenario: Scenario) -> str:
    """SHA-256 (hexadecimal) of the resolved scenario as canonical JSON.

    Nothing is left out, and the order of names counts: campaigns, people's interests and slots have indices.
    """
    data = scenario.model_dump(mode="json")
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()

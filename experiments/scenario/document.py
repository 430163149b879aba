"""A YAML document as plain data that remembers its lines.

Read from the parser's events rather than by `yaml.load`: that way every key keeps its position, duplicate keys and
aliases are refused where they stand, and no object is ever built that the file does not spell out. Scalars follow
YAML 1.2's core schema: only true and false are booleans, dates stay text and 1e6 is a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from experiments.scenario.problems import Path, Problem

NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
INT = re.compile(r"^[-+]?[0-9][0-9_]*$")
FLOAT = re.compile(
    r"^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
MAX_DEPTH = 30
MAX_DIGITS = 300

_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Dumper(yaml.SafeDumper):
    """Writes text so that both YAML 1.1 readers and this one read text again."""


def _text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    """Text with unusual characters goes in double quotes, the only style that can escape them."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


Dumper.add_representer(str, _text)
for _tag, _pattern, _first in (
    ("bool", BOOL, "tTfF"),
    ("int", INT, "-+0123456789"),
    ("float", FLOAT, "-+.0123456789"),
    ("null", NULL, ["~", "n", "N", ""]),
):
    Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))


class NotYaml(Exception):
    """The text is not one YAML document; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Document:
    """Plain data, the line of every path in it (from 1), and what was wrong with the YAML itself."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Line of *path*, or of its nearest ancestor that stands in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str) -> Document:
    """Read one document; raises `NotYaml` when the text is broken beyond a single value."""
    reader = _Reader(text)
    try:
        return reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "cannot be read"
        raise NotYaml(mark.line + 1 if mark else 1, what) from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise NotYaml(1, " ".join(str(error).split())) from None


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def scalar(text: str, plain: bool) -> Any:
    """The value of a scalar; raises `ValueError` for numbers of absurd length."""
    if not plain:
        return text
    if NULL.match(text):
        return None
    if BOOL.match(text):
        return text.lower() == "true"
    is_int = INT.match(text)
    if not is_int and not FLOAT.match(text):
        return text
    if len(text) > MAX_DIGITS:
        raise ValueError(f"number with {len(text)} characters; at most {MAX_DIGITS} are read")
    number = text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan")
    return int(number) if is_int else float(number)


class _Reader:
    """Builds the data from parser events; the recursion is bounded by MAX_DEPTH."""

    def __init__(self, text: str) -> None:
        self._events = yaml.parse(text, Loader=_Parser)
        self._out = Document()

    def document(self) -> Document:
        next(self._events)  # stream start
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._out.data = self._value(next(self._events), ())
            next(self._events)  # document end
            event = next(self._events)
            if not isinstance(event, yaml.StreamEndEvent):
                raise NotYaml(_line(event), "a second document begins here; keep one scenario per file")
        return self._out

    def _problem(self, path: Path, message: str) -> None:
        self._out.problems.append(Problem(path, message))

    def _value(self, event: Any, path: Path) -> Any:
        line = _line(event)
        self._out.lines.setdefault(path, line)
        if len(path) > MAX_DEPTH:
            raise NotYaml(line, f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            self._problem(path, f"aliases (*{event.anchor}) are not read; write the value out")
            return None
        if event.tag is not None:
            self._problem(path, f"tags ({event.tag}) are not read; write the plain value")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        try:
            return scalar(event.value, event.implicit[0])
        except ValueError as error:
            self._problem(path, str(error))
            return None

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise NotYaml(line, "a key must be a single word; lists, mappings and aliases cannot be keys")
            key = event.value
            if key in mapping:
                first = self._out.lines[(*path, key)]
                self._problem((*path, key), f"given twice, on lines {first} and {line}; keep one")
                self._skip()
                continue
            self._out.lines[(*path, key)] = line
            mapping[key] = self._value(next(self._events), (*path, key))
        return mapping

    def _skip(self) -> None:
        """Pass over one value (the second one of a duplicate key)."""
        depth = 0
        while True:
            event = next(self._events)
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth == 0:
                return

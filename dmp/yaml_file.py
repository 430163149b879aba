"""A YAML file as plain data that remembers its lines, and pydantic's complaints about it with those lines.

Duplicate keys, aliases and tags are refused; every mistake of a file is reported at once.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dmp.errors import AudienceError

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 40
Place = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


class _Reader:
    """Plain data from YAML nodes, with the line of every path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Place, int] = {(): 1}
        self.problems: list[tuple[Place, str]] = []
        self._loader = yaml.SafeLoader("")

    def value(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if len(place) > MAX_DEPTH:
            self.problems.append((place, f"nested more than {MAX_DEPTH} levels deep"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, number)) for number, item in enumerate(node.value)]
        if node.tag.startswith(("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")):
            # Dates stay text, and of YAML 1.1's booleans only true and false are taken.
            lowered = node.value.lower()
            return lowered == "true" if lowered in ("true", "false") else node.value
        try:
            return self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self.problems.append((place, f"{node.value!r} cannot be read; put it in quotes"))
            return None

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in mapping:
                first = self.lines[(*place, key)]
                self.problems.append(((*place, key), f"given twice, on lines {first} and {line}; keep one"))
                continue
            self.lines[(*place, key)] = line
            mapping[key] = self.value(value_node, (*place, key))
        return mapping


def load_model(path: Path, model: type[Model], error: type[AudienceError]) -> Model:
    """The file as *model*; raises *error* with every mistake, each with its line and a remedy."""
    reader = _Reader(path)
    data = reader.value(_compose(path, error), ())
    if not isinstance(data, dict):
        raise error(f"{path}:1: the file must be a mapping (key: value lines) at the top")
    try:
        found_model = model.model_validate(data)
    except ValidationError as found:
        for details in found.errors(include_url=False):
            reader.problems.append(_problem(details, model))
    if reader.problems:
        _raise(reader, error)
    return found_model


def _compose(path: Path, error: type[AudienceError]) -> yaml.Node:
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise error(f"{path}: is larger than {MAX_BYTES // 2**20} MiB; that is no file of this kind")
        text = raw.decode("utf-8-sig")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise error(f"{path}: aliases (*name) are not read; write the values out")
        node = yaml.compose(text, yaml.SafeLoader)
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror}); check the name and its permissions") from None
    except UnicodeDecodeError as problem:
        line = raw[: problem.start].count(b"\n") + 1
        raise error(f"{path}:{line}: byte {raw[problem.start]:#04x} is not UTF-8; save the file as UTF-8") from None
    except (yaml.YAMLError, RecursionError) as problem:
        mark = getattr(problem, "problem_mark", None)
        told = getattr(problem, "problem", None) or " ".join(str(problem).split())
        raise error(f"{path}:{mark.line + 1 if mark else 1}: the file is not YAML: {told}") from None
    if node is None:
        raise error(f"{path}:1: the file is empty")
    return node


def _raise(reader: _Reader, error: type[AudienceError]) -> NoReturn:
    lines = []
    for place, message in sorted(reader.problems, key=lambda problem: _line(reader, problem[0])):
        dotted = ".".join(str(part) for part in place)
        lines.append(f"{reader.path}:{_line(reader, place)}: {dotted + ': ' if dotted else ''}{message}")
    head = [] if len(lines) == 1 else [f"{len(lines)} mistakes in {reader.path}"]
    raise error("\n".join(head + lines), tuple(lines))


def _line(reader: _Reader, place: Place) -> int:
    while place and place not in reader.lines:
        place = place[:-1]
    return reader.lines.get(place, 1)


def _problem(details: ErrorDetails, model: type[BaseModel]) -> tuple[Place, str]:
    place: Place = tuple(part for part in details["loc"] if part != "[key]")
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing":
        return place, "is missing; add it"
    if kind == "extra_forbidden":
        known = _keys(model, place[:-1])
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        told = f"did you mean {near[0]}?" if near else f"keys here: {', '.join(known)}" if known else "remove it"
        return place, f"unknown key; {told}"
    if kind == "literal_error":
        return place, f"{details['input']!r} is not one of {context['expected']}; choose one"
    if kind == "value_error":
        return place, str(context["error"])
    return place, f"{details['msg'][:1].lower()}{details['msg'][1:]}, not {str(details['input'])[:60]!r}; change it"


def _keys(model: type[BaseModel], place: Place) -> list[str]:
    """Keys a mapping at *place* may have, found by walking the fields' types."""
    current: Any = model
    for part in place:
        if isinstance(part, int) or current is None:
            continue
        field = getattr(current, "model_fields", {}).get(part)
        current = None if field is None else _model_in(field.annotation)
    return list(getattr(current, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _model_in(inner)) is not None:
            return found
    return None

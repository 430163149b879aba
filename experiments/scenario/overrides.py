"""``--set path.to.key=value``: change single settings of a scenario without editing its file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from experiments.scenario.document import NotYaml, parse
from experiments.scenario.problems import Path, Problem, dotted, suggestion
from experiments.scenario.schema import child, node_at

CONTAINER = {"properties", "patternProperties", "propertyNames", "items", "discriminator"}


class BadOverride(Exception):
    """An override that names no setting, or is no ``path=value``."""


def split(override: str) -> tuple[str, Any, list[Problem]]:
    """Path text, value and the value's own problems; the value is read as YAML. Raises `BadOverride`."""
    path, equals, text = override.partition("=")
    if not equals or not path.strip():
        raise BadOverride("is not path.to.key=value; write for example days=3")
    try:
        document = parse(text)
    except NotYaml as error:
        raise BadOverride(f"{text!r} is not a value: {error}") from None
    return path.strip(), document.data, document.problems


def apply(data: Any, path_text: str, value: Any) -> tuple[Any, Path]:
    """A copy of *data* with one setting changed, and that setting's path; raises `BadOverride` for no such setting.

    Parts the file leaves out are filled in with their defaults on the way down, so that `auction.kind=first_price`
    works on a file without `auction`.
    """
    changed = copy.deepcopy(data)
    path: list[str | int] = []
    here, rest = changed, path_text.split(".")
    while rest:
        key, rest = _next_key(here, rest, tuple(path), changed)
        path.append(key)
        if not rest:
            here[key] = value
        else:
            if not isinstance(_get(here, key), dict | list):
                here[key] = _default(tuple(path), changed, rest)
            here = here[key]
    return changed, tuple(path)


def _next_key(here: Any, rest: list[str], path: Path, data: Any) -> tuple[str | int, list[str]]:
    """The key meant by the first parts of *rest* (names may contain dots: the longest that exists wins)."""
    if isinstance(here, list):
        if rest[0].isdecimal() and rest[0].isascii() and int(rest[0][:9]) < len(here):
            return int(rest[0][:9]), rest[1:]
        raise BadOverride(f"{dotted(path)} has {len(here)} entries, counted from 0; there is no {rest[0]!r}")
    if not isinstance(here, dict):
        raise BadOverride(f"{dotted(path) or 'the scenario'} has no settings inside it")
    for length in range(len(rest), 0, -1):
        name = ".".join(rest[:length])
        if name in here:
            return name, rest[length:]
    node = node_at(path, data)
    allowed = set(node.get("properties", {})) | set(node.get("propertyNames", {}).get("enum", []))
    # A mapping without a kind may still turn out to be any member of its union.
    if rest[0] in allowed or (rest[0] == "kind" and "discriminator" in node):
        return rest[0], rest[1:]
    known = allowed | set(here)
    raise BadOverride(f"{dotted((*path, rest[0]))} is no setting; {suggestion(rest[0], known, 'there are')}")


def _get(here: Any, key: str | int) -> Any:
    return here.get(key) if isinstance(here, Mapping) else here[key]


def _default(path: Path, data: Any, rest: list[str]) -> Any:
    """What the model would fill in at *path*: the default, or an empty mapping; raises `BadOverride` for a scalar."""
    parent = node_at(path[:-1], data)
    node = child(parent, path[-1]) or {}
    if not CONTAINER & node.keys():
        raise BadOverride(f"{dotted(path)} holds a single value; there is no {'.'.join(rest)} in it")
    default = node.get("default")
    return copy.deepcopy(default) if isinstance(default, dict | list) else {}

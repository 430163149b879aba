"""The JSON Schema of the scenario, ways to walk it, and the reference page made from it.

Descriptions come from the docstrings of the models; editors show them while a scenario is written.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from experiments.scenario.problems import Path

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE_NAME = "scenario.schema.json"


@functools.cache
def scenario_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a scenario file; treat it as read-only."""
    from experiments.scenario.models import Scenario

    return {"$schema": DIALECT, **_tidy(Scenario.model_json_schema())}


def _tidy(node: Any) -> Any:
    """Pydantic's schema without the titles it makes up, and closed where it lists patterns of names."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _tidy(value) for key, value in node.items() if key != "title" or not isinstance(value, str)}
    return {**kept, "additionalProperties": False} if "patternProperties" in kept else kept


def schema_text() -> str:
    """The schema as the text of a file."""
    return json.dumps(scenario_schema(), indent=1, ensure_ascii=False) + "\n"


def resolve(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """*node* with its reference followed and a nullable type opened; keeps its own description and default."""
    own = {key: node[key] for key in ("description", "default") if key in node}
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            node = scenario_schema()["$defs"][node["$ref"].rsplit("/", 1)[1]]
        else:
            node = next(option for option in node["anyOf"] if option.get("type") != "null")
    return {**node, **own}


def of_kind(node: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """The member of a union that *value* chooses by its kind; *node* itself when it is no union or none fits."""
    kind = value.get("kind") if isinstance(value, Mapping) else None
    mapping = node.get("discriminator", {}).get("mapping", {})
    return resolve({"$ref": mapping[kind]}) if isinstance(kind, str) and kind in mapping else node


def child(node: Mapping[str, Any], part: str | int) -> Mapping[str, Any] | None:
    """The schema of one key or item below *node*; None when there can be none."""
    if isinstance(part, int):
        return resolve(node["items"]) if "items" in node else None
    if part in node.get("properties", {}):
        return resolve(node["properties"][part])
    entries = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))
    return resolve(entries) if isinstance(entries, Mapping) else None


def node_at(path: Path, data: Any = None) -> Mapping[str, Any]:
    """The schema of the value at *path*; *data* says which members of unions are meant. Empty when unknown."""
    node: Mapping[str, Any] | None = scenario_schema()
    for part in path:
        node = child(of_kind(node or {}, data), part)
        data = _below(data, part)
    return of_kind(node or {}, data)


def known_keys(path: Path, data: Any = None) -> list[str]:
    """The keys a mapping at *path* may have."""
    return list(node_at(path, data).get("properties", {}))


def _below(data: Any, part: str | int) -> Any:
    if isinstance(data, Mapping):
        return data.get(part)
    return data[part] if isinstance(data, list) and isinstance(part, int) and part < len(data) else None

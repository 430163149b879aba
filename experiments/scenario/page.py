"""The reference page `docs/scenario.md`, made from the schema; `python -m experiments.scenario.page` prints it.

A test fails when the committed page is stale or a setting has no description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.scenario.loader import shipped_names
from experiments.scenario.schema import resolve, scenario_schema

HOW_TO = """\
# Scenarios

A scenario is one YAML file that says everything a run needs: people, sellers, rivals, products and the
campaigns that buy. This page is made from the program: `python -m experiments.scenario.page >
docs/scenario.md`.

## How to

| to | do |
|---|---|
| start one | `bidlab init my.yaml` writes a commented scenario and its JSON Schema, so that editors complete it |
| start from another one | `bidlab init my.yaml --like retail-launch` |
| check it | `bidlab validate my.yaml`: every mistake at once, with its line and a remedy; exit code 1 |
| change one setting | `bidlab validate my.yaml --set campaigns.awareness.budget.total=5000` (also for `bidlab run`) |
| get the JSON Schema | `bidlab validate --schema > scenario.schema.json` |
| use it in Python | `from experiments.scenario import load; scenario = load("my.yaml", ["days=3"])` |

Scenarios that come with bidlab, usable by bare name: SHIPPED.

**Money** is in units of `currency` for budgets and values; prices, bids and floors are CPM (currency per
thousand impressions). **Names** are yours: letters, digits, dot, hyphen and underscore; quote them where they
are numbers and used as a value. **Durations** are a number and s, m, h, d or w. **Times** are local, without a
time zone.

**YAML** is read by the rules of version 1.2: only `true` and `false` are booleans, `1e6` and `1_000_000` are
numbers, text is never taken for a number. A key given twice, an alias (`*x`) or a tag (`!x`) is a mistake.
Weights called `share` need not add up to 1, except where a share of people is meant.

`--set` takes any path of this page; names with dots work too; the value is read as YAML, so that `--set
'campaigns.launch.bid={kind: constant, price: 2}'` replaces a whole part. Later ones win.

A *traffic file* (`traffic.hours_file`) is CSV, plain or gzip, with the header `dow,hour,share` and one row for
each of the 168 hours of the week (Monday = 0). It is read when the scenario is loaded; the scenario as resolved
holds the weights.

## What is checked beyond single settings

Every name must be defined; a publisher must choose its `rivals` when there are several; a daily budget must not
exceed the total; a campaign must end after it starts and overlap the scenario; a segment's precision must be
reachable with the people there are; cpc and cpa goals need a product; `off_interest` and `off_window` need
something to be off from; a target must be able to match some slot and some person. What sellers must not contradict
is in [market.md](market.md#contradictions).
"""


def reference_page() -> str:
    """The whole page in Markdown."""
    how_to = HOW_TO.replace("SHIPPED", ", ".join(f"`{name}`" for name in shipped_names()))
    return how_to + "\n## Every setting\n" + "".join(_sections())


def undocumented() -> list[str]:
    """Settings without a description, as ``Object.key``; empty when all is well."""
    missing = []
    for name, node in _objects():
        settings = node.get("properties", {}).items()
        missing += [f"{name}.{key}" for key, of in settings if "const" not in of and not resolve(of).get("description")]
        if not node.get("description"):
            missing.append(name)
    return missing


def _objects() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The scenario and all its parts in the order a reader meets them."""
    seen: list[str] = []
    waiting: list[tuple[str, Mapping[str, Any]]] = [("Scenario", scenario_schema())]
    while waiting:
        name, node = waiting.pop(0)
        yield name, node
        found = [ref for ref in _references(node.get("properties", {})) if ref not in seen]
        seen += found
        # Depth first: a part stands right after what it belongs to.
        waiting = [(ref, scenario_schema()["$defs"][ref]) for ref in dict.fromkeys(found)] + waiting


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "$ref" in node:
            yield node["$ref"].rsplit("/", 1)[1]
        for key, value in node.items():
            if key != "discriminator":
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def _sections() -> Iterator[str]:
    for name, node in _objects():
        yield f"\n### {name}\n\n{node['description']}\n\n| setting | write | default | meaning |\n|---|---|---|---|\n"
        settings = node.get("properties", {})
        for key in sorted(settings, key=lambda key: "const" not in settings[key]):
            of = settings[key]
            needed = key in node.get("required", [])
            about = resolve(of).get("description", "which one this is")
            cells = (f"`{key}`", _write(of), "**needed**" if needed else _default(of), about)
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _write(node: Mapping[str, Any]) -> str:
    """What may stand there, in a few words."""
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in node:
        return _write(next(option for option in node["anyOf"] if option.get("type") != "null"))
    if "oneOf" in node:
        return " or ".join(_write(option) for option in node["oneOf"])
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{choice}`" for choice in node["enum"])
    kind = node.get("type")
    if kind == "array":
        return f"list of {_write(node['items'])}"
    if kind == "object":
        return _write_mapping(node)
    if kind == "string":
        return _write_text(node)
    words = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`"}[str(kind)]
    return words + _limits(node)


def _write_mapping(node: Mapping[str, Any]) -> str:
    if "patternProperties" in node:
        return f"name: {_write(next(iter(node['patternProperties'].values())))}"
    keys = ", ".join(f"`{key}`" for key in node["propertyNames"]["enum"])
    return f"{keys}: {_write(node['additionalProperties'])}"


def _write_text(node: Mapping[str, Any]) -> str:
    pattern = node.get("pattern", "")
    if pattern.startswith("^[A-Za-z0-9]["):
        return "name"
    if pattern.startswith("^\\d{4}"):
        return "date or time"
    return "duration" if "s|m|h" in pattern else "text"


def _limits(node: Mapping[str, Any]) -> str:
    words = (("exclusiveMinimum", ">"), ("minimum", "≥"), ("exclusiveMaximum", "<"), ("maximum", "≤"))
    told = [f"{sign} {node[key]:,}".removesuffix(".0") for key, sign in words if key in node]
    return " " + ", ".join(told) if told else ""


def _default(node: Mapping[str, Any]) -> str:
    if "default" not in node:
        return "empty"
    value = node["default"]
    if value is None:
        return "none"
    if isinstance(value, dict):
        return _default_mapping(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if value == "" or value == []:
        return "empty"
    return str(value).removesuffix("T00:00:00")


def _default_mapping(value: Mapping[str, Any]) -> str:
    if "kind" in value and "multiplier" not in value:
        told = ", ".join(f"{key} {_default({'default': of})}" for key, of in value.items() if key != "kind")
        return f"{value['kind']}, {told}"
    if "kind" in value:
        return str(value["kind"])
    if all(isinstance(of, float) for of in value.values()) and len(value) == 1:
        return ", ".join(f"{key}: {of:g}" for key, of in value.items())
    return "its defaults" if "everywhere" not in value else "everywhere"


if __name__ == "__main__":
    print(reference_page(), end="")

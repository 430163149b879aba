"""Pydantic's errors in the words of the scenario file: where, what is wrong, how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from experiments.scenario.problems import Path, Problem, suggestion
from experiments.scenario.schema import known_keys, node_at

KINDS = {dict: "a mapping", list: "a list", bool: "true/false", str: "text", int: "a number", float: "a number"}
WANTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping (key: value lines)",
    "model_type": "a mapping (key: value lines)",
    "model_attributes_type": "a mapping (key: value lines)",
}
LIMITS = {"greater_than": "above", "greater_than_equal": "at least", "less_than": "below", "less_than_equal": "at most"}


def problems_in(error: ValidationError, data: Any) -> list[Problem]:
    """One `Problem` per mistake pydantic found in *data*."""
    found: list[Problem] = []
    for details in error.errors(include_url=False):
        if details["type"] == "references":
            found.extend(details["ctx"]["problems"])
        else:
            found.append(_problem(details, data))
    return found


def _problem(details: ErrorDetails, data: Any) -> Problem:
    path, at_key = _file_path(details["loc"], data)
    kind = details["type"]
    context: Mapping[str, Any] = details.get("ctx", {})
    value = details.get("input")
    if kind.startswith("union_tag") or (kind == "model_attributes_type" and "discriminator" in node_at(path, data)):
        return _wrong_kind(path, value, data)
    if at_key:
        return Problem(path, _bad_key(path, context))
    if kind == "missing":
        about = node_at(path, data).get("description", "")
        return Problem(path, f"is missing; add it{': ' + about if about else ''}")
    if kind == "extra_forbidden":
        return Problem(path, f"unknown key; {suggestion(str(path[-1]), known_keys(path[:-1], data), 'keys here')}")
    if value is None and kind != "value_error":
        needed = path[-1] in node_at(path[:-1], data).get("required", []) or isinstance(path[-1], int)
        return Problem(path, f"is empty; write {_article(kind)}{'' if needed else ' or leave the key out'}")
    return Problem(path, SENTENCES.get(kind, _plain)(kind, value, context, path))


def _file_path(loc: tuple[int | str, ...], data: Any) -> tuple[Path, bool]:
    """The location as it stands in the file: without union tags; and whether it means the key itself."""
    path: list[int | str] = []
    for part in loc:
        if part == "[key]":
            return tuple(path), True
        if isinstance(data, Mapping) and (part in data or data.get("kind") != part):
            path.append(part)
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            path.append(part)
            data = data[part] if part < len(data) else None
    return tuple(path), False


def _wrong_kind(path: Path, value: Any, data: Any) -> Problem:
    kinds = list(node_at(path, data).get("discriminator", {}).get("mapping", {}))
    if not isinstance(value, Mapping):
        told = "is empty" if value is None else f"must be a mapping with a kind, not {_shown(value)}"
        return Problem(path, f"{told}; write for example {{kind: {kinds[0]}, ...}}; {suggestion('', kinds, 'kinds')}")
    if value.get("kind") is None:
        return Problem((*path, "kind"), f"is missing; add one, {suggestion('', kinds, 'kinds')}")
    return Problem((*path, "kind"), _not_one_of(value["kind"], kinds))


def _not_one_of(value: Any, choices: list[str]) -> str:
    told = f"{_shown(value)} is not one of {', '.join(choices)}"
    hint = suggestion(value, choices) if isinstance(value, str) else "choose one"
    return f"{told}; {hint if hint.startswith('did') else 'choose one'}"


def _bad_key(path: Path, context: Mapping[str, Any]) -> str:
    if "expected" in context:
        return _not_one_of(str(path[-1]), [choice.strip("'") for choice in _choices(context["expected"])])
    return "is not a name: use letters, digits, dot, hyphen and underscore, at most 64, the first a letter or digit"


def _choices(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").replace("'", "").split(", ")


def _literal(kind: str, value: Any, context: Mapping[str, Any], path: Path) -> str:
    return _not_one_of(value, _choices(context["expected"]))


def _type(kind: str, value: Any, context: Mapping[str, Any], path: Path) -> str:
    if kind == "int_type" and isinstance(value, float):
        return _fraction(kind, value, context, path)
    mend = f"write {WANTED[kind]}"
    if isinstance(value, str) and kind in ("float_type", "int_type") and _is_number(value):
        mend = "remove the quotes"
    elif kind == "string_type" and not isinstance(value, dict | list):
        mend = "put it in quotes"
    elif kind == "list_type" and not isinstance(value, dict | list):
        mend = f"write [{value}]"
    return f"must be {WANTED[kind]}, not {_shown(value)}; {mend}"


def _limit(kind: str, value: Any, context: Mapping[str, Any], path: Path) -> str:
    bound = next(context[key] for key in ("gt", "ge", "lt", "le") if key in context)
    return f"must be {LIMITS[kind]} {bound:.15g}, not {value}; change it"


def _length(kind: str, value: Any, context: Mapping[str, Any], path: Path) -> str:
    if kind == "too_short":
        return f"needs at least {context['min_length']} entry, not {context['actual_length']}; add one"
    return f"has room for {context['max_length']} entries, not {context['actual_length']}; remove some"


def _finite(kind: str, value: Any, context: Mapping[str, Any], path: Path) -> str:
    return f"must be a finite number, not {_shown(value)}; NaN and infinity mean nothing here, write a number"


_ADDRESS = "is not an address; write one that begins with https:// and has no spaces or quotation marks"
_LINE = "cannot be shown; write one line of text"
PATTERNS = {
    **dict.fromkeys(("click", "image", "media"), _ADDRESS),
    **dict.fromkeys(("brand", "title", "text", "call"), _LINE),
    "domains": "is not a domain; write it in small letters, for example shop.example",
    "categories": "is not a code of a category, such as IAB8-1; write letters, digits and hyphens",
    "bundle": "is not the name of an app, such as com.example.shop; write letters, digits, dots and hyphens",
}
"""What is wrong with a text, by the setting it stands in; others are names."""


def _fraction(kind: str, value: Any, context: Mapping[str, Any], path: Path) -> str:
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return f"must be a whole number, not {value}; write {int(value) if whole else 'one without a fraction'}"


def _pattern(kind: str, value: Any, context: Mapping[str, Any], path: Path) -> str:
    if path == ("currency",):
        return f"{_shown(value)} is not a currency; write its three capital letters, for example EUR"
    words = next((PATTERNS[str(key)] for key in reversed(path) if key in PATTERNS), None)
    return f"{_shown(value)} {words or _bad_key(path, {})}"


def _rule(kind: str, value: Any, context: Mapping[str, Any], path: Path) -> str:
    return str(context["error"])


def _plain(kind: str, value: Any, context: Mapping[str, Any], path: Path) -> str:
    return f"{_shown(value)} is not allowed ({kind.replace('_', ' ')})"


SENTENCES: dict[str, Callable[[str, Any, Mapping[str, Any], Path], str]] = {
    **dict.fromkeys(WANTED, _type),
    **dict.fromkeys(LIMITS, _limit),
    "literal_error": _literal,
    "too_short": _length,
    "too_long": _length,
    "finite_number": _finite,
    "int_from_float": _fraction,
    "string_pattern_mismatch": _pattern,
    "value_error": _rule,
}


def _article(kind: str) -> str:
    return WANTED.get(kind, "a value")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shown(value: Any) -> str:
    """A value as a reader would recognise it, never long."""
    if isinstance(value, dict | list):
        return KINDS[type(value)]
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    text = repr(value)
    return ("text " if isinstance(value, str) and _is_number(value) else "") + (
        text if len(text) <= 60 else text[:57] + "..."
    )

"""A user's own strategy: from a Python file's text to the address compiled code calls.

A function decorated with `@njit` is compiled together with its entry point; a plain Python function is reached through
a callback, which costs about a microsecond a call. Nothing of it is cached on disk, so an edited file can never meet
the compiled code of an earlier one; it is compiled once per process and text.
"""

from __future__ import annotations

import ast
import ctypes
import hashlib
import linecache
import math
import re
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from numba import cfunc, float64, int64
from numba import types as numba_types

from bidder.core.strategy import FLOATS, PROTOTYPE, Opportunity
from bidder.errors import StrategyError

WANTED = "write `def {name}(opportunity):` that returns the bid in CPM; 0: no bid"
"""What a strategy's function has to look like."""


@dataclass(frozen=True, slots=True)
class StrategyPlan:
    """Whose function bids: the file as people call it, its text, and the function's name in it."""

    file: str
    source: str
    function: str

    @property
    def name(self) -> str:
        """As scenarios write it."""
        return f"{self.file}:{self.function}"


@dataclass(slots=True)
class Strategy:
    """A strategy ready to be called; what its address points to lives as long as this does."""

    address: int
    asks_seen: bool
    """Whether it may look at `Opportunity.seen`, which takes a walk through the person's list."""
    keep: Any
    failed: list[str]
    """Why the first call of a plain function that raised did so; at most one line."""


def check_source(plan: StrategyPlan) -> None:
    """Refuse a text without the function it is named for, without running it; raises `StrategyError`."""
    try:
        tree = ast.parse(plan.source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise StrategyError(f"{plan.file}:{line}: is not Python ({getattr(error, 'msg', error)})") from None
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == plan.function]
    wanted = WANTED.format(name=plan.function)
    if not found:
        raise StrategyError(f"{plan.file} defines no function {plan.function!r} at its top level; {wanted}")
    arguments = found[-1].args
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    optional = len(arguments.defaults) + bool(arguments.vararg)
    if needed > 1 or needed + optional < 1 or None in arguments.kw_defaults:
        place = f"{plan.file}:{found[-1].lineno}"
        raise StrategyError(f"{place}: {plan.function} must take one argument, the opportunity; {wanted}")


@cache
def load_strategy(plan: StrategyPlan) -> Strategy:
    """Run the file and compile its function; the same text gives the same address. Raises `StrategyError`."""
    check_source(plan)
    function = _function(plan)
    if hasattr(function, "py_func"):
        return _compiled(plan, function)
    if not isinstance(function, types.FunctionType):
        raise StrategyError(f"{plan.name} is no function that can be called; {WANTED.format(name=plan.function)}")
    return _callback(plan, function)


def _function(plan: StrategyPlan) -> Any:
    """What the file calls the function, after running the file as a module of its own."""
    digest = hashlib.sha256(plan.source.encode()).hexdigest()[:8]
    where = f"<{plan.file} {digest}>"
    linecache.cache[where] = (len(plan.source), None, plan.source.splitlines(True), where)
    module = types.ModuleType(f"strategy_{digest}")
    try:
        exec(compile(plan.source, where, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        hint = "; strategies are not cached on disk: write @njit without cache" if "cannot cache" in str(error) else ""
        raise StrategyError(f"{plan.file}{_line(error, where)}: cannot be run: {_told(error)}{hint}") from None
    return getattr(module, plan.function)


def _compiled(plan: StrategyPlan, function: Any) -> Strategy:
    fields = [float64] * FLOATS + [int64] * (len(Opportunity._fields) - FLOATS)
    seen = (numba_types.NamedTuple(fields, Opportunity),)
    try:
        function.compile(seen)
        returns: Any = function.overloads[seen].signature.return_type
        if not isinstance(returns, numba_types.Integer | numba_types.Float):
            raise StrategyError(f"{plan.name} returns {returns}, not a number; {WANTED.format(name=plan.function)}")
        entry = cfunc(float64(*fields))(_entry(function))
    except StrategyError:
        raise
    except Exception as error:  # most are of Numba's own tree, some of its lowering are not
        raise StrategyError(f"{plan.name} cannot be compiled: {_numba_told(error)}") from None
    assert entry.address is not None
    return Strategy(entry.address, _asks_seen(plan.source), entry, [])


def _asks_seen(source: str) -> bool:
    """Whether compiled code might read the field `seen`: by name, or by any way that names no field."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript | ast.Starred | ast.For):
            return True
        if (isinstance(node, ast.Attribute) and node.attr == "seen") or (
            isinstance(node, ast.Name) and node.id == "getattr"
        ):
            return True
        if isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name):
            return True
    return False


def _entry(bid: Callable[[Opportunity], float]) -> Callable[..., float]:
    """The function behind the C call: whatever the strategy raises becomes NaN, which no caller takes for a bid."""
    nan = math.nan

    # fmt: off
    def entry(  # type: ignore[no-untyped-def]  # C's arguments, one by one
        worth_cpm, floor_cpm, ctr, cvr, budget, spent, elapsed, time_s,
        wins, clicks, conversions, seen, hour, slot_ix, publisher_ix, format_ix, device_ix, place_ix,
    ):
        opportunity = Opportunity(
            worth_cpm, floor_cpm, ctr, cvr, budget, spent, elapsed, time_s,
            wins, clicks, conversions, seen, hour, slot_ix, publisher_ix, format_ix, device_ix, place_ix,
        )
        try:
            return float(bid(opportunity))
        except Exception:
            return nan
    # fmt: on

    return entry


def _callback(plan: StrategyPlan, function: Callable[[Opportunity], float]) -> Strategy:
    failed: list[str] = []

    def entry(*fields: Any) -> float:
        try:
            return float(function(Opportunity(*fields)))
        except Exception as error:
            if not failed:
                failed.append(f"{plan.file}{_line(error, f'<{plan.file} ')}: {_told(error)}")
            return math.nan

    pointer = PROTOTYPE(entry)
    address = ctypes.cast(pointer, ctypes.c_void_p).value
    assert address is not None
    return Strategy(address, True, pointer, failed)


def _line(error: BaseException, where: str) -> str:
    """`:7` where the error came from line 7 of the strategy's own text."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(where)]
    return f":{lines[-1]}" if lines else ""


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")


def _numba_told(error: BaseException) -> str:
    """The line of a compiler message that says what is wrong, and where in the file."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if not line.startswith(("Failed in", "During:", "File", "-", ">"))), str(error))
    unknown = re.search(r"Unknown attribute '(\w+)' of type Opportunity", told)
    if unknown:
        told = f"an opportunity has no {unknown[1]}; it has {', '.join(Opportunity._fields)}"
    frames = [line for line in lines if line.startswith('File "<') and ", line " in line]
    return f"{told}{' (' + frames[-1].split(', ')[1].rstrip(':') + ')' if frames else ''}"

"""Rules of pages that contradict their slots, deals or exchanges, with the reason and the least change that would do.

The checks read plain data and skip what has the wrong type, like `experiments.scenario.references`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.scenario.plain import at, items, number, texts
from experiments.scenario.problems import Path, Problem, suggestion

ONE_DESKTOP = {"desktop": 1.0}


def pages_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Every contradiction between pages and what else is said of their slots."""
    for check in (_slots, _traffic, _exchanges, _guarantees):
        yield from check(data)


def first_slot(publisher: Any, slot: str) -> str:
    """The slot whose views bring this one: the first of its page, or itself."""
    for _, page in items(publisher, "pages"):
        listed = texts(page, "slots")
        if slot in listed:
            return listed[0]
    return slot


def _pages(data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any], Mapping[str, Any]]]:
    """Path, publisher and page."""
    for name, publisher in items(data, "publishers"):
        for page_name, page in items(publisher, "pages"):
            yield ("publishers", name, "pages", page_name), publisher, page


def _slots(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Slots nobody has, and slots in two places at once."""
    seen: dict[tuple[str | int, str], str] = {}
    for path, publisher, page in _pages(data):
        known = at(publisher, "slots")
        for ix, slot in enumerate(texts(page, "slots")):
            if isinstance(known, Mapping) and slot not in known:
                message = f"publisher {path[1]!r} has no slot {slot!r}; {suggestion(slot, known)}"
                yield Problem((*path, "slots", ix), message)
                continue
            where = seen.setdefault((path[1], slot), str(path[3]))
            if where != path[3]:
                message = f"{slot!r} is on page {where!r} already; remove it from one of the two"
                yield Problem((*path, "slots", ix), message)
            elif slot in texts(page, "slots")[:ix]:
                yield Problem((*path, "slots", ix), f"{slot!r} is listed twice; a page shows each slot once")


def _traffic(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Who sees a page, and how often, is said of its first slot."""
    for path, publisher, page in _pages(data):
        listed = texts(page, "slots")
        for slot in listed[1:]:
            body, of_slot = at(publisher, "slots", slot), (*path[:2], "slots", slot)
            if number(body, "share", default=1.0) not in (None, 1.0):
                message = (
                    f"is seen as often as the first slot of page {path[3]!r}; leave it out, and write the share of "
                )
                yield Problem((*of_slot, "share"), f"{message}the page at {listed[0]!r}")
            own, first = at(body, "devices"), at(publisher, "slots", listed[0], "devices") or ONE_DESKTOP
            if isinstance(own, Mapping) and dict(own) not in (ONE_DESKTOP, first):
                message = f"is seen on the same device as the first slot of page {path[3]!r}; leave it out, and write "
                yield Problem((*of_slot, "devices"), f"{message}the devices of the page at {listed[0]!r}")


def _exchanges(data: Mapping[str, Any]) -> Iterator[Problem]:
    for path, publisher, _ in _pages(data):
        if texts(publisher, "header"):
            message = (
                "what is sold in several exchanges cannot be kept apart: none of them knows what the others show; "
            )
            yield Problem(path, f"{message}leave out one of pages and publishers.{path[1]}.header")
        if at(data, "duplicates") == "skip":
            message = "the requests of a view have one transaction, and a bidder that skips what it has bid for would "
            yield Problem(
                ("duplicates",), f"{message}bid once a page; set it to answer, or leave out {'.'.join(map(str, path))}"
            )
            return


def _guarantees(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Impressions that a page may have to refuse cannot be promised."""
    for name, deal in items(data, "deals"):
        if at(deal, "kind") != "guaranteed":
            continue
        seller = at(data, "publishers", str(at(deal, "publisher")))
        chosen = texts(deal, "slots") or [slot for slot, _ in items(seller, "slots")]
        for page_name, page in items(seller, "pages"):
            late = [slot for slot in texts(page, "slots")[1:] if slot in chosen]
            if late and at(page, "separation") != "none":
                first = ", ".join(slot for slot in chosen if slot not in late) or texts(page, "slots")[0]
                message = (
                    f"page {page_name!r} may have to refuse it in {late[0]!r} for what it shows already, so nothing "
                )
                mend = f"can be promised there: cover {first} only, or set the page's separation to none"
                yield Problem(("deals", name, "slots"), message + mend)

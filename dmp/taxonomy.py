"""The IAB Audience Taxonomy: a tree of names for segments, imported from IAB Tech Lab's own table (TSV, gzip too)."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

from dmp.errors import SegmentError, StoreError
from dmp.rules import SegmentFile
from dmp.store import Store

COLUMNS = ("Unique ID", "Parent ID", "Condensed Name (1st, 2nd, Last Tier)")
TIERS = tuple(f"Tier {number}" for number in range(1, 7))
FILE = "taxonomy.json"


@dataclass(frozen=True)
class Taxonomy:
    """Nodes by number: the parent's number (0 at the top) and the tiers from the top down."""

    parent: dict[int, int]
    tiers: dict[int, tuple[str, ...]]

    def children(self, number: int) -> list[int]:
        """Numbers right below a node; of 0, the tops."""
        return [child for child, parent in self.parent.items() if parent == number]

    def find(self, name: str) -> int:
        """The node of a number or of a path such as `Interest | Sports`; raises `SegmentError`."""
        if name.isdigit() and int(name) in self.tiers:
            return int(name)
        wanted = tuple(part.strip().lower() for part in name.split("|") if part.strip())
        for number, tiers in self.tiers.items():
            if tuple(tier.lower() for tier in tiers) == wanted:
                return number
        near = [" | ".join(tiers) for tiers in self.tiers.values() if wanted and tiers[-1].lower() == wanted[-1]]
        hint = (
            f"did you mean {near[0]!r}?" if near else "write its number or its path, for example 'Demographic | Gender'"
        )
        raise SegmentError(f"{name!r} is not in the taxonomy; {hint}")


def read_taxonomy(path: Path) -> Taxonomy:
    """The table; raises `SegmentError` when it is no tree."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise SegmentError(f"{path}: cannot be read ({error})") from None
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    names = [name.strip() for name in rows.fieldnames or []]
    missing = [name for name in (*COLUMNS, TIERS[0]) if name not in names]
    if missing:
        raise SegmentError(f"{path}: has no column {', '.join(missing)}; take the IAB's own table, tab separated")
    rows.fieldnames = names
    parent: dict[int, int] = {}
    tiers: dict[int, tuple[str, ...]] = {}
    for line, row in enumerate(rows, 2):
        try:
            number, above = int(row[COLUMNS[0]]), int(row[COLUMNS[1]] or 0)
        except ValueError:
            raise SegmentError(f"{path}:{line}: the numbers of node and parent must be whole numbers") from None
        if number in parent:
            raise SegmentError(f"{path}:{line}: node {number} is there twice")
        parent[number] = above
        tiers[number] = tuple(text for tier in TIERS if (text := (row.get(tier) or "").strip()))
    _check_tree(path, parent)
    return Taxonomy(parent, tiers)


def _check_tree(path: Path, parent: dict[int, int]) -> None:
    for number in parent:
        seen, at = {number}, number
        while (at := parent[at]) != 0:
            if at not in parent:
                raise SegmentError(f"{path}: node {number} hangs below {at}, which is not there")
            if at in seen:
                raise SegmentError(f"{path}: node {number} hangs below itself")
            seen.add(at)


def save_taxonomy(store: Store, taxonomy: Taxonomy) -> None:
    """Keep it in the store, where segment files are checked against it."""
    nodes = [[number, taxonomy.parent[number], list(tiers)] for number, tiers in taxonomy.tiers.items()]
    with store.writing():
        store.replace(FILE, json.dumps(nodes, ensure_ascii=False))


def stored_taxonomy(store: Store) -> Taxonomy | None:
    """The taxonomy of the store, None when none was imported."""
    path = store.folder / FILE
    if not path.exists():
        return None
    try:
        nodes = json.loads(path.read_text("utf-8"))
        return Taxonomy({n: p for n, p, _ in nodes}, {n: tuple(tiers) for n, _, tiers in nodes})
    except (OSError, ValueError, TypeError):
        raise StoreError(f"{path}: is damaged; import the taxonomy again") from None


def check_names(file: SegmentFile, store: Store) -> None:
    """Segments' taxonomy names against the stored tree, if there is one; raises `SegmentError` with every mistake."""
    taxonomy = stored_taxonomy(store)
    problems = []
    for name, segment in file.segments.items():
        if taxonomy is not None and segment.taxonomy is not None:
            try:
                taxonomy.find(segment.taxonomy)
            except SegmentError as error:
                problems.append(f"segment {name}: taxonomy: {error}")
    if problems:
        raise SegmentError("\n".join(problems), tuple(problems))

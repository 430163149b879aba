"""What is known of the people of an opened audience, read from the store chunk by chunk.

Every question a segment file asks is answered in one pass over the records (in several, where the answers would not fit
`MOST_BYTES`): memory grows with the people and not with what is recorded of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from dmp.audience import Audience
from dmp.errors import SegmentError
from dmp.rules import AttributeRule, EventRule

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]
DAY_S = 86400.0
MOST_BYTES = 256 * 2**20
"""Working memory of one pass, besides the chunk itself."""


class Question(NamedTuple):
    """One thing a rule asks, of evidence not older than `oldest_s`."""

    kind: str
    """event, tag, attribute or source."""
    about: EventRule | AttributeRule | str
    oldest_s: float

    def bytes_per_person(self) -> int:
        """Working memory of its answer."""
        return {"event": 4, "attribute": 16}.get(self.kind, 1)


class Chunk:
    """Some records of one source: of people in the audience, up to now and fresh enough."""

    def __init__(self, source: str, table: pa.Table, person_ix: Numbers) -> None:
        self.source, self.table, self.person_ix = source, table, person_ix
        self.time_s: Numbers = table["time_s"].to_numpy()

    def has(self, column: str) -> bool:
        """Whether the source has the column."""
        return column in self.table.column_names

    @cached_property
    def events(self) -> tuple[list[str], NDArray[np.int64]]:
        """Names of events, and int64[n]: which one each record is, -1 for none."""
        coded = _encoded(pc.cast(self.table["event"], pa.string()))
        return coded.dictionary.to_pylist(), np.asarray(pc.fill_null(coded.indices, -1), np.int64)

    @cached_property
    def tags(self) -> tuple[list[str], NDArray[np.int64], Numbers]:
        """Names of tags; int64[m]: one of them each, and int64[m]: the record that carries it."""
        column = _one(self.table["tags"])
        coded = column.flatten().dictionary_encode()
        parent = np.asarray(pc.list_parent_indices(column), np.int64)
        return coded.dictionary.to_pylist(), np.asarray(coded.indices, np.int64), parent

    def code(self, names: list[str], name: str) -> int:
        """Position of a name, -2 (no code at all) where the chunk does not hold it."""
        return names.index(name) if name in names else -2


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    return _one(column).dictionary_encode()


class _Answer(Protocol):
    """Takes chunk after chunk and has the answer in the end."""

    def take(self, chunk: Chunk) -> None:
        """Look at a chunk."""


@njit(cache=True)
def _tally(counts: NDArray[np.uint32], person_ix: NDArray[np.int64], hit: NDArray[np.bool_]) -> None:
    """One more for the person of each record hit (np.add.at takes a hundred times as long)."""
    for i in range(len(hit)):
        if hit[i]:
            counts[person_ix[i]] += np.uint32(1)


class _Events:
    """How often something happened per person."""

    def __init__(self, rule: EventRule, oldest_s: float, now_s: float, people: int) -> None:
        self.rule, self.seen = rule, False
        self.counts = np.zeros(people, np.uint32)
        self.since_s = max(oldest_s, -np.inf if rule.within_days is None else now_s - rule.within_days * DAY_S)

    def take(self, chunk: Chunk) -> None:
        if not chunk.has("event"):
            return
        names, code = chunk.events
        named = code == chunk.code(names, self.rule.name)
        self.seen = self.seen or bool(named.any())
        hit = named & (chunk.time_s >= self.since_s)
        if self.rule.value_at_least is not None:
            hit &= chunk.table["value"].to_numpy() >= self.rule.value_at_least
        _tally(self.counts, chunk.person_ix, hit)

    def flags(self) -> Flags:
        at_most = np.iinfo(np.uint32).max if self.rule.at_most is None else self.rule.at_most
        return np.asarray((self.counts >= self.rule.at_least) & (self.counts <= at_most))


class _Tag:
    """Who carries a tag."""

    def __init__(self, tag: str, oldest_s: float, people: int) -> None:
        self.tag, self.oldest_s = tag, oldest_s
        self.found = np.zeros(people, np.bool_)

    def take(self, chunk: Chunk) -> None:
        if not chunk.has("tags"):
            return
        names, code, record = chunk.tags
        owner = record[code == chunk.code(names, self.tag)]
        self.found[chunk.person_ix[owner[chunk.time_s[owner] >= self.oldest_s]]] = True


class _Source:
    """Who is known from a source."""

    def __init__(self, source: str, people: int) -> None:
        self.source, self.found = source, np.zeros(people, np.bool_)

    def take(self, chunk: Chunk) -> None:
        if chunk.source == self.source:
            self.found[chunk.person_ix] = True


class Latest:
    """The newest value of an attribute per person, of two in one second the one imported later; NaN: not known.

    Texts are codes into `texts`, in the order they were met.
    """

    def __init__(self, name: str, is_text: bool, people: int) -> None:
        self.column, self.is_text = f"attr.{name}", is_text
        self.value = np.full(people, np.nan)
        self.time_s = np.full(people, np.iinfo(np.int64).min)
        self.texts: dict[str, int] = {}

    def take(self, chunk: Chunk) -> None:
        """Look at a chunk."""
        if not chunk.has(self.column):
            return
        column = chunk.table[self.column]
        there = np.asarray(pc.is_valid(column))
        person, time_s = chunk.person_ix[there], chunk.time_s[there]
        value = self._codes(column) if self.is_text else column.to_numpy()
        order = np.argsort(time_s, kind="stable")
        person, time_s, value = person[order], time_s[order], value[there][order]
        newer = time_s >= self.time_s[person]
        self.value[person[newer]], self.time_s[person[newer]] = value[newer], time_s[newer]

    def _codes(self, column: pa.ChunkedArray) -> NDArray[np.float64]:
        coded = _encoded(column)
        own = [float(self.texts.setdefault(text, len(self.texts))) for text in coded.dictionary.to_pylist()]
        at = np.asarray(pc.fill_null(coded.indices, len(own)))
        return np.asarray(np.array([*own, np.nan])[at])


class Evidence:
    """Answers to what rules ask; each question is read from the store once and its answer kept as bits."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.notes: list[str] = []
        """Things a rule asks for that no record holds: not wrong, but worth a look."""
        self.now_s, self.people = audience.now_s, audience.graph.persons
        self.sources = list(dict.fromkeys(batch.source.source for batch in audience.catalog.batches))
        self.attributes = self._declared()
        self._answers: dict[str, NDArray[np.uint8]] = {}

    def _declared(self) -> dict[str, str]:
        declared: dict[str, str] = {}
        for batch in self.audience.catalog.batches:
            for attribute in batch.source.attributes:
                kind = "text" if attribute.type == "text" else "number"
                if declared.setdefault(attribute.known_as, kind) != kind:
                    raise SegmentError(
                        f"attribute {attribute.known_as}: one source declares it as text, another as a number; "
                        "give one of them another `name:`"
                    )
        return declared

    def chunks(self, columns: Iterable[str]) -> Iterator[Chunk]:
        """All records, in the order of import, with those of *columns* their sources have."""
        wanted = list(columns)
        for batch in self.audience.catalog.batches:
            for table, person in self.audience.chunks(batch, wanted, fresh_only=True):
                past = table["time_s"].to_numpy() <= self.now_s
                if not past.all():
                    table, person = table.filter(pa.array(past)), person[past]
                yield Chunk(batch.source.source, table, person)

    def gather(self, questions: Iterable[Question]) -> None:
        """Answer all *questions*, which must be checked, in as few passes as `MOST_BYTES` allows."""
        todo = {str(question): question for question in questions if str(question) not in self._answers}
        group: list[Question] = []
        room = MOST_BYTES
        for question in todo.values():
            room -= self.people * question.bytes_per_person()
            if group and room < 0:
                self._pass(group)
                group, room = [], MOST_BYTES - self.people * question.bytes_per_person()
            group.append(question)
        self._pass(group)

    def _pass(self, group: list[Question]) -> None:
        asked = [(question, self._answer(question)) for question in group]
        columns = {
            "event": ["event", "value"],
            "tag": ["tags"],
            "source": [],
        }
        wanted: list[str] = []
        for question, answer in asked:
            wanted += [answer.column] if isinstance(answer, Latest) else columns[question.kind]
        if asked:
            for chunk in self.chunks(dict.fromkeys(wanted)):
                for _, answer in asked:
                    answer.take(chunk)
        for question, answer in asked:
            self._answers[str(question)] = np.packbits(self._flags(question, answer))

    def _answer(self, question: Question) -> _Answer:
        about = question.about
        if isinstance(about, EventRule):
            return _Events(about, question.oldest_s, self.now_s, self.people)
        if isinstance(about, AttributeRule):
            return Latest(about.name, self.attributes[about.name] == "text", self.people)
        if question.kind == "tag":
            return _Tag(about, question.oldest_s, self.people)
        return _Source(about, self.people)

    def check(self, question: Question) -> None:
        """Raise `SegmentError` for a question that names what no source declares, or asks a text for its size."""
        about = question.about
        if question.kind == "source" and about not in self.sources:
            raise SegmentError(f"unknown source {about!r}; sources here: {', '.join(self.sources)}")
        if not isinstance(about, AttributeRule):
            return
        if about.name not in self.attributes:
            known = ", ".join(sorted(self.attributes)) or "none"
            raise SegmentError(f"unknown attribute {about.name!r}; attributes the sources declare: {known}")
        if self.attributes[about.name] == "text":
            if about.at_least is not None or about.below is not None:
                raise SegmentError(f"attribute {about.name} is text; at_least and below are for numbers")
        elif any(isinstance(each, str) for each in [about.equals, *(about.one_of or [])]):
            raise SegmentError(f"attribute {about.name} is a number (or a flag: true, false), not text")

    def _flags(self, question: Question, answer: _Answer) -> Flags:
        if isinstance(answer, _Events):
            if not answer.seen:
                self._note(f"no event {answer.rule.name!r} was ever recorded")
            return answer.flags()
        if isinstance(answer, Latest):
            assert isinstance(question.about, AttributeRule)
            return _as_wanted(question.about, answer, question.oldest_s)
        assert isinstance(answer, _Tag | _Source)
        if isinstance(answer, _Tag) and not answer.found.any():
            self._note(f"nobody carries the tag {answer.tag!r}")
        return answer.found

    def flags(self, question: Question) -> Flags:
        """bool[persons]: those for whom the answer is yes; raises `SegmentError` for unknown names."""
        if str(question) not in self._answers:
            self.check(question)
            self.gather([question])
        return np.unpackbits(self._answers[str(question)], count=self.people).astype(np.bool_)

    def all_tags(self) -> dict[str, int]:
        """Tag → people who carry it, the most frequent first."""
        found: dict[str, NDArray[np.bool_]] = {}
        for chunk in self.chunks(["tags"]):
            if chunk.has("tags"):
                names, code, record = chunk.tags
                for number, tag in enumerate(names):
                    flags = found.setdefault(tag, np.zeros(self.people, np.bool_))
                    flags[chunk.person_ix[record[code == number]]] = True
        counts = {tag: int(flags.sum()) for tag, flags in found.items()}
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _as_wanted(rule: AttributeRule, latest: Latest, oldest_s: float) -> Flags:
    """People whose latest value is as the rule says."""
    value = latest.value
    good = ~np.isnan(value) & (latest.time_s >= oldest_s)
    wanted = [rule.equals] if rule.equals is not None else rule.one_of
    if latest.is_text:
        codes = [float(latest.texts[str(text)]) for text in wanted or [] if str(text) in latest.texts]
        return np.asarray(good & np.isin(value, codes))
    if wanted is not None:
        good &= np.isin(value, [float(each) for each in wanted])
    if rule.at_least is not None:
        good &= value >= rule.at_least
    if rule.below is not None:
        good &= value < rule.below
    return np.asarray(good)

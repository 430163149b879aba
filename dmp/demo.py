"""Four small made-up sources and a segment file, to try the audience platform with.

The same people stand behind all four: a shop's site (cookies, some logged in by e-mail), its customer file (offline), a
partner's app (devices, a guess which cookie is the same person) and a vendor's interests. Nobody in them exists.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dmp.errors import SourceError

PEOPLE = 3000
START_S = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
DAYS = 60
TOPICS = ("running", "tennis", "travel", "cooking", "cars")

SITE = """\
# First party, online: what visitors did, and what their consent banner recorded.
source: site
file: site.csv.gz
format: csv
party: first
channel: web_event
region: EU
freshness_days: 365000
identifiers:
  - {column: cookie, kind: cookie}
  - {column: mail, kind: email}
time: {column: at, form: iso}
event: {column: action, value: amount}
tags: {column: topics, separator: ";", prefix: "site:"}
consent: {column: consent}
"""
CRM = """\
# First party, offline: the customer file. Customers agreed when they signed up.
source: crm
file: crm.jsonl
format: jsonl
party: first
channel: crm_file
region: EU
as_of: 2026-02-01
identifiers:
  - {column: customer, kind: login}
  - {column: mail, kind: email}
  - {column: phone, kind: phone, country_code: "41"}
  - {column: address, kind: address}
attributes:
  - {column: age, type: number}
  - {column: city, type: text}
  - {column: vip, type: flag}
consent: {column: consent}
"""
PARTNER = """\
# Second party: a partner's app. Which cookie is the same person is a guess, with a score.
source: partner
file: partner.csv
format: csv
delimiter: ";"
party: second
channel: app_event
region: EU
identifiers:
  - {column: device, kind: device}
  - {column: cookie, kind: cookie}
score_column: score
time: {column: at, form: s}
event: {name: app_open}
consent: {column: consent}
"""
VENDOR = """\
# Third party: bought interests, one cookie a row.
source: vendor
file: vendor.csv
format: csv
party: third
channel: vendor_file
region: EU
licence: made up; a real vendor's terms stand here
cost_cpm: 0.8
freshness_days: 365000
as_of: 2026-01-20
identifiers:
  - {column: cookie, kind: cookie}
tags: {column: interests, separator: "|", prefix: "vendor:"}
consent: {column: consent}
"""
SEGMENTS = """\
purposes: [storage, ads_profile, personalised_ads]
segments:
  runners:
    about: read about running, here or as the vendor says
    rule: {any: [{tag: "site:running"}, {tag: "vendor:running"}]}
  buyers:
    rule: {event: {name: purchase}}
  big-buyers:
    rule: {event: {name: purchase, value_at_least: 80}}
  hot-leads:
    about: looked at least three times, bought nothing
    rule: {all: [{event: {name: view, at_least: 3}}, {not: {segment: buyers}}]}
  app-users:
    rule: {source: partner}
  customers-30-50:
    rule: {attribute: {name: age, at_least: 30, below: 50}}
  runners-to-win:
    about: what the campaign buys
    rule: {all: [{segment: runners}, {segment: hot-leads}, {not: {attribute: {name: vip, equals: true}}}]}
"""


def write_demo(folder: Path, people: int = PEOPLE, seed: int = 1) -> list[Path]:
    """Write the files into *folder* (made if needed) and return the declarations; the same bytes each time.

    Raises `SourceError` when the folder cannot be written or already holds a demo.
    """
    declarations = {"site": SITE, "crm": CRM, "partner": PARTNER, "vendor": VENDOR}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "site.yaml").exists():
            raise SourceError(f"{folder}: holds a demo already; name another folder")
        _Writer(folder, people, np.random.default_rng(seed)).write()
        for name, text in declarations.items():
            (folder / f"{name}.yaml").write_text(text, "utf-8")
        (folder / "segments.yaml").write_text(SEGMENTS, "utf-8")
    except OSError as error:
        raise SourceError(f"{folder}: cannot be written ({error.strerror})") from None
    return [folder / f"{name}.yaml" for name in declarations]


class _Writer:
    """The people, and the four views of them."""

    def __init__(self, folder: Path, people: int, rng: np.random.Generator) -> None:
        self.folder, self.people, self.rng = folder, people, rng
        self.cookies = [[self._cookie(p, n) for n in range(int(rng.integers(1, 4)))] for p in range(people)]
        self.consents = rng.random(people) < 0.8
        self.topics = [list(rng.choice(TOPICS, int(rng.integers(0, 3)), replace=False)) for _ in range(people)]

    @staticmethod
    def _cookie(person: int, number: int) -> str:
        return hashlib.sha256(f"cookie {person} {number}".encode()).hexdigest()[:20]

    def _yes(self, person: int) -> str:
        return "yes" if self.consents[person] else "no"

    def write(self) -> None:
        """All four files."""
        self._site()
        self._crm()
        self._partner()
        self._vendor()

    def _site(self) -> None:
        rng, rows = self.rng, []
        for person in range(self.people):
            for cookie in self.cookies[person]:
                logged_in = rng.random() < 0.35
                for _ in range(int(rng.poisson(4.0))):
                    at = datetime.fromtimestamp(START_S + int(rng.integers(0, DAYS * 86400)), UTC)
                    action = "purchase" if rng.random() < 0.06 else "view"
                    amount = f"{rng.lognormal(4.0, 0.6):.2f}" if action == "purchase" else ""
                    topics = ";".join(topic for topic in self.topics[person] if rng.random() < 0.5)
                    mail = f"person{person}@example.com" if logged_in else ""
                    rows.append([cookie, mail, f"{at:%Y-%m-%dT%H:%M:%SZ}", action, amount, topics, self._yes(person)])
        rows.sort(key=lambda row: str(row[2]))
        head = ["cookie", "mail", "at", "action", "amount", "topics", "consent"]
        # A fixed time in the gzip header: the same demo is the same file.
        with (self.folder / "site.csv.gz").open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
            lines = [",".join(map(str, row)) for row in [head, *rows]]
            packed.write(("\n".join([*lines, "torn row,"]) + "\n").encode())

    def _crm(self) -> None:
        rng = self.rng
        lines = []
        for person in range(0, self.people, 3):
            row: dict[str, Any] = {
                "customer": f"customer-{person}",
                "mail": f"Person{person}@Example.com",
                "phone": f"079 {person:07d}" if rng.random() < 0.8 else None,
                "address": f"Example Street {person // 6}, 8000 Zürich",
                "age": int(rng.integers(18, 80)),
                "city": str(rng.choice(["Zürich", "Bern", "Basel"])),
                "vip": "yes" if rng.random() < 0.1 else "no",
                "consent": self._yes(person),
            }
            lines.append(json.dumps(row, ensure_ascii=False))
        lines.append(json.dumps({"customer": "customer-x", "mail": "no address", "consent": "yes"}))
        (self.folder / "crm.jsonl").write_text("\n".join(lines) + "\n", "utf-8")

    def _partner(self) -> None:
        rng = self.rng
        with (self.folder / "partner.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, delimiter=";", lineterminator="\n")
            out.writerow(["device", "cookie", "score", "at", "consent"])
            for person in range(1, self.people, 4):
                score = round(float(rng.uniform(0.6, 0.99)), 3)
                right = rng.random() < score
                whose = person if right else int(rng.integers(self.people))
                device = hashlib.sha256(f"device {person}".encode()).hexdigest()[:32]
                at = START_S + int(rng.integers(0, DAYS * 86400))
                out.writerow([device, str(rng.choice(self.cookies[whose])), score, at, self._yes(person)])

    def _vendor(self) -> None:
        rng = self.rng
        with (self.folder / "vendor.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["cookie", "interests", "consent"])
            for person in range(self.people):
                if rng.random() < 0.4:
                    known = self.topics[person] if rng.random() < 0.7 else [str(rng.choice(TOPICS))]
                    out.writerow([self.cookies[person][0], "|".join(known), self._yes(person)])

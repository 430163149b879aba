"""How a finished run or study is cited: BibTeX for the program and for it, and the commands that make it again.

A run is remade from the scenario in its own folder, whose hash is held against the manifest's first.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from experiments.errors import RunError
from experiments.results.manifest import Manifest, scenario_hash, versions

TITLE = "bidlab: a laboratory for programmatic ad buying"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "{": r"\textbraceleft{}",  # BibTeX counts braces, escaped ones too
    "}": r"\textbraceright{}",
    **{character: f"\\{character}" for character in "#$%&_"},
}


class Citation(NamedTuple):
    """What is said of a run or study."""

    bibtex: tuple[str, ...]
    """The program's entry and its own."""
    command: str
    """Makes all of it again, in a new folder."""
    figures: tuple[str, ...]
    """Figures the command makes, as paths inside the folder."""
    notes: tuple[str, ...]
    """What may keep the new one from being the same bytes."""


def cite_folder(folder: Path) -> Citation:
    """Citation of a run's or a study's folder; raises `RunError` when it is neither or was changed since."""
    if (folder / "manifest.json").exists():
        return _of_run(folder)
    if (folder / "study.json").exists():
        return _of_study(folder)
    raise RunError(f"{folder}: holds neither manifest.json nor study.json, so it is no finished run or study")


def _of_run(folder: Path) -> Citation:
    manifest, text = _manifest(folder), _scenario(folder)
    if scenario_hash(text) != manifest.scenario_hash:
        raise RunError(
            f"{folder / 'scenario.yaml'}: was changed after the run, whose hash of it is "
            f"{manifest.scenario_hash[:12]}...; put the original back, or run the changed one and cite that"
        )
    _, flag, url = manifest.command.rpartition(" --bidder ")
    command = f"bidlab run {shlex.quote(str(folder / 'scenario.yaml'))}{flag}{url if flag else ''}"
    notes = list(_differs(manifest.versions))
    if manifest.driver == "live":
        notes.append("the driver live runs in real time, so another run gives other numbers")
    about = f"driver {manifest.driver}, seed {manifest.seed}, scenario SHA-256 {manifest.scenario_hash}"
    title = f"Simulated run {manifest.title or manifest.name}"
    key = f"{manifest.name}-{manifest.seed}-{manifest.scenario_hash[:8]}"
    entries = _entries(key, title, manifest.started_at, about, manifest.versions)
    return Citation(entries, command, _figures(folder), tuple(notes))


def _of_study(folder: Path) -> Citation:
    file = folder / "study.json"
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        command, made, made_with = str(told["command"]), str(told["made_at"]), dict(told["versions"])
        digest = str(told["scenario_hash"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{file}: cannot be read as part of a study ({error}); make the study again") from None
    about = f"command {command}" + (f", scenario SHA-256 {digest}" if digest else "")
    name = folder.resolve().name
    entries = _entries(name, f"Study {name}", made, about, made_with)
    return Citation(entries, command, _figures(folder), tuple(_differs(made_with)))


def _manifest(folder: Path) -> Manifest:
    file = folder / "manifest.json"
    try:
        return Manifest.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{file}: cannot be read as part of a run ({error}); run the scenario again") from None


def _scenario(folder: Path) -> str:
    file = folder / "scenario.yaml"
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise RunError(f"{file}: cannot be read ({error}), and without it the run cannot be remade") from None


def _figures(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.png")))


def _differs(made_with: Any) -> list[str]:
    """A line for every version that is not the one in use now."""
    now = versions()
    return [
        f"made with {name} {was}, here is {now[name]}"
        for name, was in made_with.items()
        if name in now and now[name] != was
    ]


def _entries(key: str, title: str, made: str, about: str, made_with: Any) -> tuple[str, ...]:
    year, month = made[:4], MONTHS[int(made[5:7]) - 1]
    program = made_with.get("bidlab", versions()["bidlab"])
    software = ", ".join(f"{name} {number}" for name, number in made_with.items())
    return (
        _entry(
            "software",
            f"bidlab-{program}",
            author="{bidlab contributors}",
            title="{" + _tex(TITLE) + "}",
            version=_tex(program),
            year=year,
        ),
        _entry(
            "misc",
            re.sub(r"[^\w.-]+", "-", key),
            author="{bidlab contributors}",
            title="{" + _tex(title) + "}",
            year=year,
            month=month,
            howpublished=_tex(f"bidlab {program}"),
            note=_tex(f"{about}; made with {software}"),
        ),
    )


def _entry(kind: str, key: str, **fields: str) -> str:
    lines = [f"  {name:<12} = {value if name == 'month' else '{' + value + '}'}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _tex(text: str) -> str:
    """Text as BibTeX may hold it."""
    return "".join(_SPECIAL.get(character, character) for character in text)

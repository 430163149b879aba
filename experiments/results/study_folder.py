"""A study's folder: Parquet tables, figures, a page and `study.json`, whole or absent.

Everything is written to a hidden sibling that takes its real name in one rename at the end.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from experiments.errors import StudyError
from experiments.results.manifest import now_utc, versions
from experiments.results.tables import write_parquet


def command_line(command: str, *words: str, **options: Any) -> str:
    """What a person types: *words*, then options that are set (a list: once for each), quoted for a shell."""
    said = [command, *(shlex.quote(word) for word in words)]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            text = f"{one:.15g}" if isinstance(one, float) else str(one)
            said += [f"--{name}", shlex.quote(text)]
    return " ".join(said)


def study_json(command: str, scenario_hash: str, answers: Mapping[str, Any]) -> bytes:
    """What made a study, how to make it again, and its answers in short."""
    told = {
        "command": command,
        "scenario_hash": scenario_hash,
        "made_at": now_utc(),
        "versions": versions(),
        "answers": dict(answers),
    }
    return (json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_study(
    path: Path, tables: Mapping[str, pa.Table], files: Mapping[str, bytes], *, replace: bool = False
) -> Path:
    """Write the study; *files* are relative names. Raises `StudyError` when it cannot be written here.

    With *replace* a study of the same name gives way: for studies whose name is a hash of what they are.
    """
    part = path.with_name(f".partial-{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        if path.exists() and not replace:
            raise FileExistsError(17, "it exists already, and a study never overwrites another; choose another folder")
        part.mkdir(parents=True)
        for name, table in tables.items():
            write_parquet(table, part / f"{name}.parquet")
        for name, content in files.items():
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_bytes(content)
        for file in part.rglob("*"):
            _sync(file)
        if replace:
            shutil.rmtree(path, ignore_errors=True)
        part.rename(path)
    except OSError as error:
        raise StudyError(f"{path}: the study cannot be written here ({error.strerror}); choose another --out") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return path


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

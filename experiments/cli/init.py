"""`bidlab init`: a commented scenario to start from, and the JSON Schema that lets editors complete it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from experiments.errors import ScenarioError


def init(
    path: Annotated[Path, typer.Argument(help="The file to write, or a folder for it.")] = Path("scenario.yaml"),
    like: Annotated[
        str, typer.Option("--like", help="The shipped scenario to start from; `bidlab scenarios` lists them.")
    ] = "learning",
    strategy: Annotated[
        Path | None, typer.Option("--strategy", help="Write a bid of your own to start from to this .py file instead.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented starter scenario, or a starter strategy."""
    if strategy is not None:
        _init_strategy(strategy, force)
        return
    from experiments.scenario.loader import SHIPPED, shipped_names
    from experiments.scenario.problems import suggestion
    from experiments.scenario.schema import FILE_NAME, schema_text

    names = shipped_names()
    if like not in names:
        hint = suggestion(like, names, "there are")
        raise ScenarioError(f"--like {like}: there is no shipped scenario of that name; {hint}")
    if path.is_dir():
        path = path / "scenario.yaml"
    text = (SHIPPED / f"{like}.yaml").read_text("utf-8")
    _write(path, f"# yaml-language-server: $schema={FILE_NAME}\n{text}", overwrite=force)
    # The schema belongs to the program, not to the user: an older one beside the file is replaced.
    _write(path.with_name(FILE_NAME), schema_text(), overwrite=True)
    print(f"{path} written, {FILE_NAME} beside it. Next: bidlab validate {path}")


def _init_strategy(path: Path, force: bool) -> None:
    if path.suffix != ".py":
        raise ScenarioError(f"--strategy {path}: must be a Python file, for example my_bid.py")
    text = (Path(__file__).parents[1] / "starter_strategy.py").read_text("utf-8")
    _write(path, text.replace("  # type: ignore[no-untyped-def]", ""), overwrite=force)
    print(f"{path} written. Next: in a scenario beside it, under a campaign, strategy: {path.name}:bid")


def _write(path: Path, text: str, overwrite: bool) -> None:
    """Write the whole file or nothing; raises `ScenarioError`."""
    if path.exists() and not overwrite:
        raise ScenarioError(f"{path}: is already there; choose another name or add --force")
    if not path.parent.is_dir():
        raise ScenarioError(f"{path}: the folder {path.parent} does not exist; create it first")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    except (OSError, ValueError) as error:
        part.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise ScenarioError(f"{path}: cannot be written ({reason}); choose a folder you may write to") from None

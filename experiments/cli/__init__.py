"""The `bidlab` command: one file per command, one place where errors become messages and exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from experiments.errors import BidlabError

app = typer.Typer(
    name="bidlab",
    help="A laboratory for programmatic ad buying. First steps: bidlab init plan.yaml, then bidlab run plan.yaml.",
    epilog="bidlab COMMAND --help tells its options. Tab completes them after bidlab --install-completion.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"bidlab {version('bidlab')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """What holds for every command."""


def main() -> None:
    """Run the command line; exit code 1 for a user's mistake, 2 for a wrong option, 130 for Ctrl-C."""
    from experiments.cli import commands

    if not app.registered_commands:  # once in a process, however many commands it runs
        commands.register(app)
    try:
        app()
    except BidlabError as error:
        print(f"bidlab: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)

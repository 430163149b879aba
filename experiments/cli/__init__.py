"""The `bidlab` command: one file per command, one place where errors become messages and exit codes."""

from __future__ import annotations

import sys

import typer

from experiments.errors import BidlabError

app = typer.Typer(
    name="bidlab",
    help="A laboratory for programmatic ad buying.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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

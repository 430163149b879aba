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
    """Run the command line; a user's mistake ends in one message and exit code 1, Ctrl-C in 130."""
    from experiments.cli import commands

    commands.register(app)
    try:
        app()
    except BidlabError as error:
        print(f"bidlab: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("bidlab: interrupted; nothing was left behind", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)

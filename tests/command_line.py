"""The `bidlab` command in this process: what a shell would see of it, without a second for a new interpreter."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from experiments.cli import main


class Done(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


def bidlab(folder: Path, *arguments: object, sent: str = "") -> Done:
    """Run a command in *folder*, with *sent* to read; an error that is no message of the program is raised as it is."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    words = ["bidlab", *map(str, arguments)]
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", words),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(sent.encode()))),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    return Done(code, out.getvalue(), err.getvalue())

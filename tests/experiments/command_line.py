"""The `bidlab` command inside the test's process: kernels are loaded already, and a new process would load them again.

`tests/experiments/test_run_command.py` and its neighbours hold the real one, with its exit codes and signals.
"""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from experiments.cli import main


def bidlab(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command prints and the code it exits with."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["bidlab", *arguments])
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

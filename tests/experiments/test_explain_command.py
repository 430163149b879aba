"""`bidlab explain` on the command line: a page, and one message for a mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import Done, bidlab
from tests.experiments.test_serve_command import REQUEST

SMALL = ["learning", "--set", "people.count=500"]


def explain(*arguments: str, sent: str = "") -> Done:
    """The command, run to its end."""
    return bidlab(Path.cwd(), "explain", *arguments, sent=sent)


def test_a_page(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(REQUEST))
    page = explain(str(file), *SMALL, "--set", "campaigns.awareness.pacing=asap")
    assert (page.code, page.stderr) == (0, "")
    assert "impression 1 as banner: slot morning-paper/top" in page.stdout
    assert "awareness  bid  " in page.stdout
    assert "microseconds (medians): parse " in page.stdout


@pytest.mark.parametrize(
    ("arguments", "sent", "message"),
    [
        (["-", *SMALL], '{"id": "r", "imp": [{"id": "1"}]}', "-: imp[0]: must offer a banner, video, audio or native;"),
        (["nothing.json", *SMALL], "", "nothing.json: cannot be read (No such file or directory)"),
    ],
)
def test_a_mistake_is_one_message(arguments: list[str], sent: str, message: str) -> None:
    done = explain(*arguments, sent=sent)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"bidlab: {message}")
    assert done.stderr.count("\n") == 1

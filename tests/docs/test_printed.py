"""What pages show under a command is what it prints; and the runner that says so sees what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.outputs import Names, mended, same, tidy
from tests.docs.pages import ELSEWHERE, PAGES, Block, blocks, name_of
from tests.docs.printed import OF_TERMINALS, in_this_process, run_page, write

QUICK = {
    name_of(page): [block for block in blocks(page) if not (block.slow or block.reason)]
    for page in PAGES
    if name_of(page) not in ELSEWHERE
}


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(page for page, held in QUICK.items() if held))
def test_a_page_shows_what_its_commands_print(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OF_TERMINALS:
        monkeypatch.delenv(name, raising=False)
    faults = run_page(QUICK[page], in_this_process).faults
    if faults:
        pytest.fail("\n\n".join([*faults, "`make printed` runs all pages; `--write` mends them"]), pytrace=False)


def page_of(folder: Path, text: str) -> Path:
    """A page with one block."""
    page = folder / "page.md"
    page.write_text(f"# A page\n\n{text}\n\nMore.\n", encoding="utf-8")
    return page


def run(page: Path) -> tuple[list[Block], list[str]]:
    """Blocks of a page, and their faults; the page is mended."""
    held = blocks(page)
    outcome = run_page(held, in_this_process)
    write(held[0].page, outcome.stale)
    return held, outcome.faults


def test_a_stale_output_is_told_with_its_line_and_can_be_mended(tmp_path: Path) -> None:
    page = page_of(tmp_path, "```\n$ echo 'a\nb' > file\n\n$ cat file # both\na\nc\n```")
    _, faults = run(page)
    assert len(faults) == 1
    assert faults[0].startswith(f"{page}:7: $ cat file # both\n")
    assert "-c\n+b" in faults[0]
    assert page.read_text(encoding="utf-8").splitlines()[6:9] == ["$ cat file # both", "a", "b"]
    assert run(page)[1] == []


def test_an_error_must_be_shown_and_what_is_shown_must_happen(tmp_path: Path) -> None:
    told = "bidlab: nope: there is no such file and …\n..."
    held, faults = run(page_of(tmp_path, f"```\n$ bidlab validate nope\n{told}\n```"))
    assert (len(held[0].steps), faults) == (1, [])
    _, faults = run(page_of(tmp_path, "```\n$ false\n```"))
    assert "ended with exit code 1" in faults[0]


def test_python_runs_in_the_folder_of_the_commands(tmp_path: Path) -> None:
    text = "```\n$ touch file\n```\n\n```python\nopen('file').close()\n```\n\n```python\nopen('other')\n```"
    _, faults = run(page_of(tmp_path, text))
    assert len(faults) == 1
    assert "No such file or directory: 'other'" in faults[0]


def test_only_blocks_with_a_reason_are_left_out(tmp_path: Path) -> None:
    block = "```\n$ true\n```\n"
    page = page_of(tmp_path, f"{block}<!-- printed: not held: a service -->\n{block}<!-- printed: slow -->\n\n{block}")
    assert [(block.slow, block.reason) for block in blocks(page)] == [(False, ""), (False, "a service"), (True, "")]
    with pytest.raises(ValueError, match="neither `slow` nor"):
        blocks(page_of(tmp_path, "<!-- printed: sometimes -->\n```\n$ true\n```"))


def test_lines_and_texts_may_be_left_out() -> None:
    printed = ["head", "one 1", "two 2", "three 3", "tail"]
    assert same(["head", "...", "three …", "tail"], printed)
    assert not same(["head", "...", "one 1", "two 2", "three 3", "tail"], printed)
    assert not same(["head", "three 3", "tail"], printed)
    assert mended(["head", "...", "three 4", "tail"], printed) == ["head", "...", "three 3", "tail"]
    assert mended(["head", "one 1", "two 3", "tail"], printed) == printed
    assert mended(["h…", "...", "thr…", "tail"], printed) == ["h…", "...", "thr…", "tail"]


def test_seconds_and_versions_may_differ_and_nothing_else() -> None:
    assert same(["51 auctions in 0.8 CPU seconds (0.8 s)"], ["51 auctions in 1.0 CPU seconds (2 s, 1 s of it)"])
    assert not same(["51 auctions in 0.8 CPU seconds (0.8 s)"], ["52 auctions in 0.8 CPU seconds (0.8 s)"])
    assert same(["@software{bidlab-0.1.0,"], ["@software{bidlab-1.2.0,"])


def test_folders_named_after_the_moment_go_by_the_page_s_names() -> None:
    names = Names()
    assert names.in_page("runs/20260102-030405-a", ["runs/20991231-235959-a"]) == "runs/20991231-235959-a"
    assert names.in_page("runs/20260102-030406-a", ["runs/20991231-235960-a"]) == "runs/20991231-235960-a"
    assert names.in_command("cat runs/20991231-235960-a") == "cat runs/20260102-030406-a"
    assert names.in_page("20260102-030405", ["nothing"]) == "20991231-235959"


def test_columns_are_lined_up_and_sentences_wrapped_as_on_a_terminal() -> None:
    assert tidy("\na\tb\nlong\t1  \n\n\nend  \n") == ["a     b", "long  1", "", "end"]
    assert [len(line) for line in tidy("word " * 30)] == [124, 24]
    assert tidy("a  " + "word " * 30) == ["a  " + "word " * 29 + "word"]

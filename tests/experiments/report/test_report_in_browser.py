"""The report in a real browser: it runs there, asks for nothing, complains about nothing, and its tables sort."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.report import write_report
from tests.experiments import synthetic_run
from tests.patience import HANG_S

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium or Chrome on this machine to open the report in")
    return found


@pytest.fixture(scope="module")
def html() -> str:
    manifest = synthetic_run.manifest()
    return write_report(synthetic_run.tables(), title=manifest.title, currency="EUR", manifest=manifest)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine that notes what it is asked for: its address, and the paths."""
    asked: list[str] = []

    class Noting(http.server.SimpleHTTPRequestHandler):
        def log_message(self, form: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    handler = functools.partial(Noting, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}", asked
        serving.shutdown()
        thread.join()


def open_page(browser: str, address: str, profile: Path) -> tuple[str, list[str]]:
    """The page as the browser made it, and what it wrote to its console."""
    command = [browser, *QUIET, f"--user-data-dir={profile}", "--enable-logging=stderr", "--virtual-time-budget=4000"]
    done = subprocess.run([*command, "--dump-dom", address], capture_output=True, text=True, timeout=HANG_S, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def test_it_runs_asks_for_nothing_and_complains_about_nothing(
    browser: str, html: str, server: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = server
    (tmp_path / "report.html").write_text(html)
    page, console = open_page(browser, f"{address}/report.html", tmp_path / "profile")
    assert console == []
    assert asked == ["/report.html"]
    assert page.count('class="sorts"') + page.count("sorts words") + page.count("words sorts") > 20
    assert page.count("<svg") == html.count("<svg")


def test_the_page_forbids_requests_even_to_its_own_script(
    browser: str, html: str, server: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = server
    spy = "fetch('/secret').catch(() => 0); new Image().src = '/pixel.png';"
    (tmp_path / "report.html").write_text(html.replace("</script>", f"{spy}</script>"))
    _, console = open_page(browser, f"{address}/report.html", tmp_path / "profile")
    assert asked == ["/report.html"]
    assert any("Content Security Policy" in line for line in console)


def test_a_table_sorts_by_number_when_its_heading_is_selected(browser: str, html: str, tmp_path: Path) -> None:
    press = "document.querySelectorAll('#campaigns th')[5].click();"
    path = tmp_path / "report.html"
    path.write_text(html.replace("</script>", f"{press}</script>"))
    page, _ = open_page(browser, path.as_uri(), tmp_path / "profile")
    body = page[page.index('id="campaigns"') :]
    body = body[body.index("<tbody>") : body.index("</tbody>")]
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in body.split("</tr>")[:-1]]
    impressions = [int(row[5].replace(",", "")) for row in rows]
    assert impressions == sorted(impressions, reverse=True)
    assert len(impressions) == 5
    press = press * 2
    path.write_text(html.replace("</script>", f"{press}</script>"))
    page, _ = open_page(browser, path.as_uri(), tmp_path / "profile")
    body = page[page.index('id="campaigns"') :]
    first = re.search(r"<tbody>\s*<tr>(.*?)</tr>", body, flags=re.DOTALL)
    assert first is not None
    assert f"{min(impressions):,}" in first[1]

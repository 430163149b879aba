"""The demo publisher page as a small web server, with Prebid.js put together from its npm package.

The package ships Prebid.js in parts: a core, modules, and what several modules share. A build is their concatenation,
in the order its own build tool uses: core, shared parts, modules; then the queue of waiting commands is started.
"""

from __future__ import annotations

import json
from pathlib import Path

from aiohttp import web

from experiments.errors import RunError

FOLDER = Path(__file__).parents[2] / "docs" / "publisher-page"
MODULES = ("prebidServerBidAdapter", "nativeRendering")
INSTALL = "npm ci --ignore-scripts --prefix docs/publisher-page"
TMAX_MS = 1500
"""How long the page waits for the exchange."""
_FILES = ("index.html", "page.js", "clip.webm")


def prebid_js(folder: Path = FOLDER) -> str:
    """Prebid.js with the modules the page needs; raises `RunError` when it is not installed."""
    parts = folder / "node_modules" / "prebid.js" / "dist" / "chunks"
    try:
        needs: dict[str, list[str]] = json.loads((parts / "dependencies.json").read_text("utf-8"))
        entries = ["prebid-core.js", *(f"{module}.js" for module in MODULES)]
        shared = [part for entry in entries for part in needs.get(entry, [])]
        order = dict.fromkeys([entries[0], *shared, *entries[1:]])
        source = "\n".join((parts / name).read_text("utf-8") for name in order)
    except (OSError, ValueError) as error:
        if not folder.is_dir():
            raise RunError(
                "the demo page is part of the source checkout and not of an installed bidlab; run this command there "
                "(docs/exchange.md)"
            ) from None
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"{parts}: Prebid.js is not there ({reason}); install it with `{INSTALL}`") from None
    return f"{source}\npbjs.processQueue();\n"


class PublisherPage:
    """The page's files, and settings made for it. `reported` is what the page said happened, once it did."""

    def __init__(self, exchange_url: str, *, gzip: bool = False, tmax_ms: int = TMAX_MS, folder: Path = FOLDER) -> None:
        self.reported: list[dict[str, object]] = []
        self._folder, self._prebid = folder, prebid_js(folder)
        settings = {"exchange": exchange_url, "gzip": gzip, "tmax_ms": tmax_ms, "report": "/report"}
        self._settings = f"const SETTINGS = {json.dumps(settings)};\n"

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application()
        for name in _FILES:
            app.router.add_get("/" if name == "index.html" else f"/{name}", self._file)
        app.router.add_get("/prebid.js", self._script)
        app.router.add_get("/settings.js", self._script)
        app.router.add_post("/report", self._report)
        return app

    async def _file(self, http: web.Request) -> web.FileResponse:
        name = http.path.strip("/") or "index.html"
        return web.FileResponse(self._folder / name)

    async def _script(self, http: web.Request) -> web.Response:
        text = self._prebid if http.path == "/prebid.js" else self._settings
        return web.Response(text=text, content_type="text/javascript")

    async def _report(self, http: web.Request) -> web.Response:
        self.reported.append(json.loads(await http.read()))
        return web.Response(status=204)

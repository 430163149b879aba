"""`bidlab exchange serve`: an exchange as an HTTP service, for pages and for bidders of any make."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.errors import RunError

if TYPE_CHECKING:
    from exchange_sim.server.app import ExchangeService


def serve(
    config: Annotated[Path, typer.Argument(help="A YAML file: rules, bidders, placements.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = 8081,
    public_url: Annotated[str, typer.Option(help="How pages reach us, for the URL that says an ad is shown.")] = "",
) -> None:
    """Ask bidders on behalf of pages, clear, and tell everybody; ends on SIGTERM or Ctrl-C."""
    from exchange_sim.errors import ServeError
    from exchange_sim.server.app import ExchangeService
    from exchange_sim.server.serve import serve as serve_http
    from experiments.exchange.config import load_exchange

    if public_url and not public_url.startswith(("http://", "https://")):
        raise RunError(f"--public-url {public_url}: must begin with http:// or https://")
    read = load_exchange(config)
    service = ExchangeService(read.rules())
    service.public_url = public_url.rstrip("/")
    names = ", ".join(read.bidders)
    try:
        asyncio.run(
            serve_http(
                service,
                host=host,
                port=port,
                ready=lambda address: print(f"{names} bid at {address}/openrtb2/auction", flush=True),
            )
        )
    except ServeError as error:
        raise RunError(str(error)) from None
    print(_summary(service), flush=True)


def _summary(service: ExchangeService) -> str:
    """What was sold and what was not."""
    house, heard = service.auctioneer, service.notifier.heard
    dropped = sum(house.dropped.values())
    lines = [
        f"{service.auctions:,} auctions, {service.refused:,} refused; {house.sold:,} sold, {dropped:,} bids dropped, "
        f"{sum(house.timeouts.values()):,} time-outs"
    ]
    lines += [f"{bidder}: loss code {loss}: {n:,} bids dropped" for (bidder, loss), n in sorted(house.dropped.items())]
    lines += [f"{kind} notices answered {status or 'by nobody'}: {n:,}" for (kind, status), n in sorted(heard.items())]
    return "\n".join(lines)


def page(
    exchange: Annotated[
        str, typer.Option(help="Where the page asks for ads.")
    ] = "http://127.0.0.1:8081/openrtb2/auction",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = 8082,
    gzip: Annotated[bool, typer.Option("--gzip", help="Let Prebid.js pack its requests.")] = False,
) -> None:
    """Show a page that asks the exchange for a banner, a video and a native ad; ends on Ctrl-C."""
    from aiohttp import web

    from experiments.exchange.page import PublisherPage

    if not exchange.startswith(("http://", "https://")):
        raise RunError(f"--exchange {exchange}: must begin with http:// or https://")
    shown = PublisherPage(exchange, gzip=gzip)
    print(f"open http://{host}:{port}/ in a browser", flush=True)
    try:
        web.run_app(shown.app(), host=host, port=port, print=None, access_log=None)
    except OSError as error:
        raise RunError(f"{host}:{port} cannot be served ({error.strerror}); choose another --host or --port") from None

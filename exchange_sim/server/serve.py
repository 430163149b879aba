"""Running the exchange: a socket, and an end that waits for the notices under way."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

from aiohttp import web

from exchange_sim.errors import ServeError
from exchange_sim.server.app import ExchangeService


def runner_of(service: ExchangeService) -> web.AppRunner:
    """The service as something that can listen; bodies come packed, because it unpacks within limits."""
    return web.AppRunner(service.app(), access_log=None, auto_decompress=False, shutdown_timeout=5.0)


async def serve(service: ExchangeService, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; *ready* is called with the address. Port 0 takes a free one.

    Raises `ServeError` when the address cannot be had.
    """
    runner = runner_of(service)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
            raise ServeError(f"{host}:{port} cannot be served ({reason}); choose another --host or --port") from None
        address = f"http://{f'[{host}]' if ':' in host else host}:{runner.addresses[0][1]}"
        service.public_url = service.public_url or address
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        ready(address)
        await ended.wait()
    finally:
        await runner.cleanup()

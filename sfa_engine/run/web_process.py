"""The web process: HTTP and ``web.sock``, put together."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from sfa_engine.errors import SfaError
from sfa_engine.run import process_log
from sfa_engine.run.folders import PRIVATE_UMASK, closed_folder
from sfa_engine.system.aio import run_until_stopped
from sfa_engine.system.process_lock import take_lock
from sfa_engine.system.runtime_files import WEB_LOCK, WEB_SOCKET
from sfa_engine.web.control import Control
from sfa_engine.web.listener import address_of, listen_tcp, serve
from sfa_engine.web.service import Service
from sfa_engine.web.settings import WebConfig

logger = logging.getLogger("sfa_engine.web")


async def _serve(settings: WebConfig, runtime: Path, data: Path, logs: Path) -> None:
    sockets = listen_tcp(settings.host, settings.port)
    host, port = address_of(sockets)
    async with Service.open(settings, runtime, data, logs) as service:
        gc.collect()
        gc.freeze()  # it stays: looking through it again and again was 3 % of a request's cost

        def status() -> dict[str, Any]:
            return {"host": host, "port": port, "has_users": service.gate.has_users}

        control = Control(runtime / WEB_SOCKET, status)
        logger.info("listening on %s port %d", host, port)
        await run_until_stopped(serve(service.app, sockets), control.run())


def main() -> int:
    """Run the web process; the ``sfa`` command starts it."""
    parser = argparse.ArgumentParser(prog="sfa-web", description=main.__doc__)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the accounts")
    parser.add_argument("--log", type=Path, required=True, help="folder of the logs")
    parser.add_argument("--settings", default="{}", help="[web] of the configuration, as JSON")
    given = parser.parse_args()
    process_log.start("web", given.log)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of each invalid request
    logger.info("started")
    os.umask(PRIVATE_UMASK)
    try:
        settings = msgspec.json.decode(given.settings, type=WebConfig)
        held = take_lock(given.runtime / WEB_LOCK, "a web process", "stop it with `sfa stop`")
        asyncio.run(_serve(settings, given.runtime, closed_folder(given.data), given.log))
    except (SfaError, OSError) as error:
        return process_log.report(error)
    os.close(held)
    logger.info("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())

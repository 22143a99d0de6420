"""Backstage's process: library, queue, executor and socket, put together."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from sfa_engine.backstage.core import Core
from sfa_engine.backstage.server import Server
from sfa_engine.errors import SfaError
from sfa_engine.run import config as configuration
from sfa_engine.run import process_log
from sfa_engine.run.folders import PRIVATE_UMASK
from sfa_engine.system.aio import run_until_stopped
from sfa_engine.system.process_lock import take_lock
from sfa_engine.system.runtime_files import BACKSTAGE_LOCK, BACKSTAGE_SOCKET, LIBRARY_LOCK

logger = logging.getLogger("sfa_engine.backstage")
IDLE_TIMEOUT_S = 1.0  # without a client, after which a temporary backstage exits


async def _serve(runtime: Path, *, temporary: bool) -> None:
    settings = configuration.backstage_settings(configuration.load_config())
    async with Core.open(settings, runtime) as core:
        server = Server(core, runtime / BACKSTAGE_SOCKET)
        lonely = [server.wait_lonely(IDLE_TIMEOUT_S)] if temporary else []
        await run_until_stopped(core.run(), server.run(), *lonely)


def main() -> int:
    """Run backstage; the ``sfa`` command starts it."""
    parser = argparse.ArgumentParser(prog="sfa-backstage", description=main.__doc__)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--temporary", action="store_true", help="end with the last client")
    parser.add_argument("--log", type=Path, help="folder of the logs")
    given = parser.parse_args()
    process_log.start("backstage", given.log or configuration.log_path())
    logger.info("started")
    try:
        os.umask(PRIVATE_UMASK)  # inherited by its workers
        held = take_lock(
            given.runtime / BACKSTAGE_LOCK, "backstage", "stop it first with `sfa stop`"
        )
        data = configuration.private_data_path()
        # One per library, too: a second one would treat running jobs as a dead backstage's.
        library = take_lock(
            data / LIBRARY_LOCK, "the library's backstage", "use that one, or stop it"
        )
        asyncio.run(_serve(given.runtime, temporary=given.temporary))
    except (SfaError, OSError) as error:
        return process_log.report(error)
    os.close(held)
    os.close(library)
    logger.info("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())

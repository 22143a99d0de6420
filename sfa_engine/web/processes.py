"""``/api/system``: the processes, their memory, since when they run, why they restarted."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.responses import Response

from sfa_engine.system.process_lock import lock_holder
from sfa_engine.system.runtime_files import (
    BACKSTAGE_LOCK,
    HOST_LOCK,
    RESTARTS,
    STAGE_LOCK,
)
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, answer
from sfa_engine.web.rights import Right

# Without this process: looking at a lock of one's own gives it up.
LOCKS = {
    "host": HOST_LOCK,
    "stage": STAGE_LOCK,
    "backstage": BACKSTAGE_LOCK,
}
START_FIELD = 19  # of /proc/PID/stat, after the name in parentheses; in clock ticks since boot


class Processes:
    """The endpoint.

    Parameters
    ----------
    runtime : pathlib.Path
        Folder of the locks.
    """

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoint."""
        sentence = "Show the processes: memory, since when they run, the last restart of each."
        right = Right("admin", least="admin")
        return [Endpoint("GET", "/api/system", sentence, self._show, right=right)]

    async def _show(self, _exchange: Exchange) -> Response:
        return answer(await asyncio.to_thread(described, self._runtime))


def described(runtime: Path) -> dict[str, Any]:
    """Return each process, and the machine's memory in bytes. Blocks."""
    restarts: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        restarts = json.loads((runtime / RESTARTS).read_text())
    pids = {name: lock_holder(runtime / lock) for name, lock in LOCKS.items()}
    processes = [
        {"name": name, **_process(pid), "restart": restarts.get(name)}
        for name, pid in {**pids, "web": os.getpid()}.items()
    ]
    return {"processes": processes, "memory": _memory(), "cores": os.cpu_count()}


def _process(pid: int) -> dict[str, Any]:
    """Return what the kernel knows of a process; null where it is not there any more."""
    found: dict[str, Any] = {"pid": pid or None, "memory_bytes": None, "since_s": None}
    if not pid:
        return found
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        found["memory_bytes"] = pages * os.sysconf("SC_PAGE_SIZE")
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ran_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        ran_s -= int(fields[START_FIELD]) / os.sysconf("SC_CLK_TCK")
        found["since_s"] = time.time() - ran_s
    return found


def _memory() -> dict[str, int | None]:
    """Return the machine's memory: all, and what is available."""
    found: dict[str, int] = {}
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in {"MemTotal", "MemAvailable"}:
                found[name] = int(rest.split()[0]) * 1024
    return {"total_bytes": found.get("MemTotal"), "available_bytes": found.get("MemAvailable")}

"""`sfa bench agents --only memory`: what questions leave in the memory of a backstage.

::

    started ── settled ── each question once ── settled ── 50 questions ── settled
                  └─────── agents_kb ──────────────┘└────── idle_growth_kb ─────┘

Of the first ones code and tables stay, which every later one uses; of the fifty nothing may.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.settings import Settings
from sfa_engine.bench.agent_library import make_library
from sfa_engine.bench.rig import Result, result
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.run.folders import memory_path
from sfa_engine.system.child import spawned, wait_for
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire.blocking import SocketClient

QUESTIONS = Path(__file__).with_name("agent_questions.toml")
# Checks of questions that start no job: a worker's memory is not backstage's.
READING = frozenset(
    {
        *("bpm", "key", "wheel", "section", "doubt", "energy", "search", "goes", "inkey"),
        *("listed", "stems", "voice", "rest", "playlist", "cues"),
    }
)
COUNT = 50
TIMEOUT_S = 60.0
POLL_S, STILL_S, SETTLE_S = 0.5, 2.0, 20.0


def bench_memory(bar: Callable[[float, str], None]) -> tuple[list[Result], list[str]]:
    """Ask a backstage of its own; return how much its memory grows, in kB that are its alone."""
    with tempfile.TemporaryDirectory(prefix="sfa-b-", dir=memory_path()) as folder:
        runtime = Path(folder)
        data = runtime / "data" / "sfa"
        data.mkdir(parents=True, mode=0o700)
        asyncio.run(_library(data))
        environment = {
            "XDG_DATA_HOME": str(runtime / "data"),
            "XDG_STATE_HOME": str(runtime / "state"),
            "XDG_CONFIG_HOME": str(runtime / "config"),
            "SFA_RUNTIME": str(runtime),
        }
        command = [sys.executable, "-m", "sfa_engine.run.backstage_process"]
        socket = runtime / BACKSTAGE_SOCKET
        with spawned([*command, "--runtime", str(runtime)], environment) as process:
            wait_for(socket.exists, "backstage")
            with SocketClient(socket, TIMEOUT_S, "backstage") as client:
                return _grown(client, process.pid, bar)


def _grown(
    client: SocketClient, pid: int, bar: Callable[[float, str], None]
) -> tuple[list[Result], list[str]]:
    """Return what is left of first questions, and of fifty more."""
    asked = [
        {
            "instruction": each["text"],
            "track": each.get("this"),
            "tracks": each.get("tracks", []),
            "model": False,
        }
        for each in tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))["question"]
        if each["check"] in READING
    ]
    bar(0.0, "bench: memory")
    before = _settled_kb(pid)
    _ask(client, asked)
    first = _settled_kb(pid)
    _ask(client, islice(cycle(asked), COUNT))
    after = _settled_kb(pid)
    rows = [
        result("agents_kb", first - before, "kB", len(asked)),
        result("idle_growth_kb", after - first, "kB", COUNT),
    ]
    return rows, []


def _ask(client: SocketClient, questions: Any) -> None:
    for each in questions:
        client.call("agents.ask", **each)


def _settled_kb(pid: int) -> float:
    """Return the memory that a process has for itself, once it does not change any more."""
    give_up = time.monotonic() + SETTLE_S
    still_since, last = time.monotonic(), private_kb(pid)
    while time.monotonic() < min(give_up, still_since + STILL_S):
        time.sleep(POLL_S)
        now = private_kb(pid)
        if now != last:
            still_since, last = time.monotonic(), now
    return last


def private_kb(pid: int) -> float:
    """Return the memory of a process that no other shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("Private_"))


async def _library(data: Path) -> None:
    settings = Settings(data, data / "tracks", data / "models")
    places = Places(settings.data, settings.bundles)
    async with await Database.open(places.database) as database:
        # Making it needs the database and the folders alone.
        needed: dict[str, Any] = dict.fromkeys(f.name for f in dataclasses.fields(PrepContext))
        await make_library(PrepContext(**needed | {"database": database, "places": places}))

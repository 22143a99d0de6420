"""`sfa bench web`: what the web process costs, and that the sound does not notice it.

The engine runs under `sfa start`, with the web process and backstage; those who ask are processes
of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sfa_engine.bench.engine import time_of
from sfa_engine.bench.rig import (
    RATE,
    SETTLE_S,
    Result,
    Rig,
    bundle_of,
    chosen_of,
    process_cpu_s,
    pss_mb,
    result,
)
from sfa_engine.cli import screen
from sfa_engine.engine.layout import LATENCY
from sfa_engine.errors import EngineError
from sfa_engine.stage.effects import PATCHES
from sfa_engine.system.child import wait_for
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.system.runtime_files import HOST_SOCKET, WEB_LOCK
from sfa_engine.web import secrets, users
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.listener import listen_tcp
from sfa_engine.web.rights import SYSTEM, Role
from sfa_engine.wire.blocking import SocketClient

BLOCK = 128
CLIENTS = 10
CROWD = 50
PRESSES = 400
EFFECT = """import pyo


def effect(source, a, b, c):
    return pyo.Freeverb(source, size=a, damp=b)
"""
END_S = 60.0  # for a load to end, beyond its time
TIMEOUT_S = 30.0


def run_bench(
    *,
    seconds: float,
    only: tuple[str, ...],
    device: str | None,
    quiet: bool,
    presses: int = PRESSES,
) -> list[Result]:
    """Run parts, or all, and return their figures.

    Parameters
    ----------
    seconds : float
        Of each part but `page`.
    only : tuple of str
        Parts; all if empty.
    device : str, optional
        Default a dummy JACK server.
    quiet : bool
        No progress bar.
    presses : int
        Of the part `page`.
    """
    if find_spec("uvicorn") is None:
        raise EngineError("the web process is not installed", "pip install 'sfa-engine[web]'")
    parts: dict[str, Callable[[Site], list[Result]]] = {
        "status": lambda site: bench_status(site, seconds),
        "clients": lambda site: bench_clients(site, seconds),
        "crowd": lambda site: bench_crowd(site, seconds),
        "page": lambda site: bench_page(site, presses),
    }
    chosen = chosen_of(parts, only)
    results = []
    with screen.progress_bar("bench", quiet=quiet) as bar:
        for done, name in enumerate(chosen):
            bar(done / len(chosen), f"bench: {name}")
            with site_of(device, 4 * seconds + 90.0) as site:
                results += parts[name](site)
        bar(1.0, "bench")
    return results


@dataclass
class Site:
    """A web process beside an engine that plays.

    Attributes
    ----------
    rig : Rig
    port : int
    pid : int
        Of the web process.
    accounts : pathlib.Path
    """

    rig: Rig
    port: int
    pid: int
    accounts: Path

    def sign_in(self, name: str, role: Role) -> str:
        """Make a user; return the secret of a session."""
        with closing(open_database(self.accounts)) as connection, transaction(connection):
            made = users.add(connection, SYSTEM, name, role)
            users.set_password(connection, made.id, "none")
            return secrets.begin_session(connection, made.id, "127.0.0.1", "bench")

    def status(self, secret: str) -> int:
        """Ask for the engine's status; return that of the answer."""
        asking = HTTPConnection("127.0.0.1", self.port, TIMEOUT_S)
        with closing(asking):
            asking.request("GET", "/api/status", headers={"Cookie": self.cookie(secret)})
            return asking.getresponse().status

    def cookie(self, secret: str) -> str:
        """Return the cookie of a session."""
        return f"sfa_session_{self.port}={secret}"

    def load(self, kind: str, secret: str, seconds: float, *more: int) -> subprocess.Popen[str]:
        """Start a load; see `web_load`."""
        words = [kind, self.port, secret, seconds, *more]
        command = [sys.executable, "-m", "sfa_engine.bench.web_load", *map(str, words)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@contextmanager
def site_of(device: str | None, seconds: float) -> Iterator[Site]:
    """Yield a web process, beside an engine that plays noise of some length."""
    with bundle_of(seconds) as bundle, ExitStack() as stack:
        port = free_port()
        config = f"[web]\nport = {port}\n[osc]\nenabled = false\n[midi]\nenabled = false\n"
        rig = Rig(stack, device, BLOCK, supervised=True, options=("--web",), config=config)
        rig.play_busy(bundle)
        lock = rig.runtime / WEB_LOCK
        accounts = rig.runtime / "data" / "sfa" / FILE
        wait_for(lambda: lock_holder(lock) > 0 and accounts.exists(), "the web process")
        site = Site(rig, port, lock_holder(lock), accounts)
        asking = site.sign_in("asking", "user")
        wait_for(lambda: site.status(asking) == 200, "the web process")
        time.sleep(SETTLE_S)
        yield site
        if lock_holder(lock) != site.pid:
            raise EngineError("the web process was restarted", "see its log")


def free_port() -> int:
    """Return a port that nothing listens on."""
    [line] = listen_tcp("127.0.0.1", 0)
    with line:
        return int(line.getsockname()[1])


def ended(load: subprocess.Popen[str], seconds: float) -> dict[str, int]:
    """Return what a load counted.

    Raises
    ------
    EngineError
        It failed.
    """
    output, _ = load.communicate(timeout=seconds + END_S)
    if load.returncode:
        raise EngineError("the load of the bench failed", "see the lines above")
    found: dict[str, int] = json.loads(output)
    return found


@contextmanager
def _stopped(load: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End a load with the block, whatever happens."""
    try:
        yield load
    finally:
        load.kill()
        load.wait()


def bench_status(site: Site, seconds: float) -> list[Result]:
    """Measure a read over one connection."""
    secret = site.sign_in("ann", "user")
    before_s = process_cpu_s(site.pid)
    with _stopped(site.load("get", secret, seconds)) as load:
        count = ended(load, seconds)["requests"]
    used_s = process_cpu_s(site.pid) - before_s
    return [result("get_status_cpu_us", used_s / count * 1e6, "us", count)]


def bench_clients(site: Site, seconds: float) -> list[Result]:
    """Measure ten clients of the channel that watch two decks play."""
    secret = site.sign_in("ann", "user")
    alone_mb = pss_mb(site.pid)
    idle_s, began = process_cpu_s(site.pid), time.monotonic()
    time.sleep(seconds / 2)
    idle = (process_cpu_s(site.pid) - idle_s) / (time.monotonic() - began) * 100
    with _stopped(site.load("watch", secret, seconds + 2 * SETTLE_S, CLIENTS)) as load:
        time.sleep(2 * SETTLE_S)
        used_s, began = process_cpu_s(site.pid), time.monotonic()
        time.sleep(max(0.5, seconds - 2 * SETTLE_S))
        took_s = time.monotonic() - began
        percent = (process_cpu_s(site.pid) - used_s) / took_s * 100
        with_clients_mb = pss_mb(site.pid)
        found = ended(load, seconds)
    rate = found["messages"] / CLIENTS / (seconds + 2 * SETTLE_S)
    return [
        result("web_pss_mb", with_clients_mb, "MB", CLIENTS, alone_mb),
        result("ten_clients_60hz_cpu_pct", percent, "%", CLIENTS, idle),
        result("ten_clients_values_hz", rate, "Hz", found["messages"]),
    ]


def bench_crowd(site: Site, seconds: float) -> list[Result]:
    """Count late and missed blocks while fifty clients watch and rubbish is sent.

    Where pyo is installed, a deck is put through a user effect meanwhile.
    """
    has_effect = find_spec("pyo") is not None
    if has_effect:
        play_effect(site)
    effect_before = effect_of(site) if has_effect else {}
    engine, null = site.rig.host.memory.engine, site.rig.null.memory.engine
    counted = ("blocks", "late", "device_misses")
    secrets_ = site.sign_in("ann", "user"), site.sign_in("eve", "user")
    mine, theirs = ({name: int(of[name]) for name in counted} for of in (engine, null))
    with (
        _stopped(site.load("watch", secrets_[0], seconds, CROWD)) as watching,
        _stopped(site.load("fuzz", secrets_[1], seconds, 1)) as fuzzing,
    ):
        watched, rubbish = ended(watching, seconds), ended(fuzzing, seconds)
    mine, theirs = (
        {name: int(of[name]) - before[name] for name in counted}
        for of, before in ((engine, mine), (null, theirs))
    )
    if site.status(secrets_[0]) != 200:
        raise EngineError("the web process does not answer after the crowd", "see its log")
    n = mine["blocks"]
    effect = []
    if has_effect:
        found = effect_of(site)
        if not found["running"] or found["restarts"] > effect_before["restarts"]:
            raise EngineError(f"the user effect was ended: {found['error']}", "see its log")
        late = found["late"] - effect_before["late"]
        effect = [result("user_effect_late_blocks", late, "blocks", n)]
    return [
        result("own_late_blocks", mine["late"], "blocks", n, float(theirs["late"])),
        result("device_misses", mine["device_misses"], "blocks", n, float(theirs["device_misses"])),
        *effect,
        result("crowd_messages", watched["messages"], "messages", CROWD),
        result("crowd_rubbish", rubbish["requests"] + rubbish["messages"], "requests", 1),
    ]


def play_effect(site: Site) -> None:
    """Put a deck through a user effect, and return when it runs."""
    folder = site.accounts.parent / PATCHES
    folder.mkdir(exist_ok=True)
    (folder / "bench.py").write_text(EFFECT)
    settings = {
        "fx1.slot1.kind": "user",
        "fx1.slot1.patch": "bench",
        "fx1.on": True,
        "deck1.fx1": True,
    }
    for path, value in settings.items():
        site.rig.client.call("set", path=path, value=value)
    wait_for(lambda: effect_of(site).get("running", False), "the user effect")


def effect_of(site: Site) -> dict[str, Any]:
    """Return the host's state of the user effect; empty before it has one."""
    with SocketClient(site.rig.runtime / HOST_SOCKET, TIMEOUT_S, "the host") as host:
        found: list[dict[str, Any]] = host.call("info")["effects"]
    return found[0] if found else {}


def bench_page(site: Site, presses: int) -> list[Result]:
    """Measure from a message on the channel to the block in which the sound changes.

    The baseline is the same on the engine's own socket, in turn.
    """
    from websockets.sync.client import connect

    secret = site.sign_in("ann", "moderator")
    rng = np.random.default_rng(5)
    by_page, by_socket, round_trips = [], [], []
    headers = {"Cookie": site.cookie(secret), "Origin": f"http://127.0.0.1:{site.port}"}
    address = f"ws://127.0.0.1:{site.port}/api/channel"
    engine = site.rig.host.memory.engine
    with connect(address, additional_headers=headers, compression=None, proxy=None) as channel:
        for k in range(presses):
            value = 100.0 * (-1) ** k
            time.sleep(float(rng.uniform(0.003, 0.012)))
            sent_ns = time.monotonic_ns()
            by_socket.append((time_of(engine, _set_frame(site.rig.client, value)) - sent_ns) / 1e6)
            time.sleep(float(rng.uniform(0.003, 0.012)))
            sent_ns = time.monotonic_ns()
            params = {"path": "crossfader", "value": -value, "wait": True}
            channel.send(json.dumps({"id": k, "method": "set", "params": params}))
            answer = json.loads(channel.recv(TIMEOUT_S))
            round_trips.append((time.monotonic_ns() - sent_ns) / 1e6)
            if "error" in answer:
                raise EngineError(f"set was refused: {answer['error']['message']}")
            by_page.append((time_of(engine, answer["result"]["frame"]) - sent_ns) / 1e6)
    page, socket_ = np.percentile(by_page, (50, 99)), np.percentile(by_socket, (50, 99))
    delay_ms = LATENCY / RATE * 1e3
    return [
        result("page_to_sound_p50_ms", float(page[0]), "ms", presses, float(socket_[0])),
        result("page_to_sound_p99_ms", float(page[1]), "ms", presses, float(socket_[1])),
        result("page_to_sound_p99_with_limiter_ms", float(page[1]) + delay_ms, "ms", presses,
               float(socket_[1]) + delay_ms),
        result("page_round_trip_p50_ms", float(np.median(round_trips)), "ms", presses),
    ]  # fmt: skip


def _set_frame(client: SocketClient, value: float) -> int:
    found: dict[str, Any] = client.call("set", path="crossfader", value=value, wait=True)
    return int(found["frame"])

"""A sound server without a sound card, and the engine on it in processes of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sfa_engine.engine.memory import Memory
from sfa_engine.errors import SfaError
from sfa_engine.host import build
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.run.folders import memory_path
from sfa_engine.wire.blocking import SocketClient

RATE = 48_000
TIMEOUT_S = 60.0


def until(condition, what, every_s=0.002):
    give_up = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < give_up, f"waited {TIMEOUT_S:g} s for {what}"
        time.sleep(every_s)


class Jack:
    """A dummy JACK server of the tests' own."""

    def __init__(self, name):
        self.name = f"{name}-{os.getpid()}"  # others may run tests on this machine
        self.environment = {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}
        self.process = None

    def start(self):
        command = ["jackd", "-S", "-R", "-P", "60", "-n", self.name]
        self.process = subprocess.Popen(
            [*command, "-d", "dummy", "-r", str(RATE), "-p", "128"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for line in self.process.stdout:
            if "driver is running" in line.lower() or "self-connect" in line.lower():
                break
        # The rest is not read; a server that only reports xruns must not block on a full pipe.
        os.set_blocking(self.process.stdout.fileno(), False)
        time.sleep(0.5)
        assert self.process.poll() is None, "jackd did not start"

    def stop(self):
        if self.process is not None:
            # Not killed: JACK keeps a list of eight servers, and the dead stay on it.
            self.process.terminate()
            self.process.wait()
            self.process.stdout.close()
            self.process = None


@contextmanager
def jack_server(name):
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed: apt-get install jackd2")
    server = Jack(name)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def jack():
    with jack_server("sfa-tests") as server:
        yield server


class Show:
    """The engine as ``sfa start`` runs it."""

    def __init__(self, runtime, environment, device):
        self.runtime = runtime
        apart = {
            "SFA_RUNTIME": str(runtime),
            "XDG_DATA_HOME": str(runtime / "data"),
            "XDG_STATE_HOME": str(runtime / "state"),
            "XDG_CONFIG_HOME": str(runtime / "config"),
        }
        self.environment = {**os.environ, **environment, **apart}
        self.device = device
        self.parent = None
        # Engines of several tests would want one port, and look for tablets in the network.
        settings = runtime / "config" / "sfa" / "config.toml"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text("[osc]\nenabled = false\n")
        for made in (settings, settings.parent, settings.parent.parent):
            made.chmod(0o600 if made.is_file() else 0o700)

    def start(self, *options):
        log = (self.runtime / "start.log").open("ab")
        self.parent = subprocess.Popen(
            [
                *(sys.executable, "-m", "sfa_engine.cli.main", "start"),
                *("--device", self.device, *options),
            ],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        until(self.answers, "the engine")

    def answers(self):
        try:
            with self.connect() as client:
                return client.call("status")["engine"]["blocks"] > 0
        except SfaError:
            return False

    def connect(self):
        return SocketClient(self.runtime / "engine.sock", timeout_s=30.0)

    def memory(self):
        return Memory.open(self.runtime / "engine.memory")

    def command(self, *words):
        """Run the command line; return its status, output and errors."""
        return self.command_in(None, *words)

    def command_in(self, folder, *words):
        """Run the command line in a folder; return its status, output and errors."""
        done = subprocess.run(
            [sys.executable, "-m", "sfa_engine.cli.main", *words],
            env=self.environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def said(self):
        return (self.runtime / "start.log").read_text()

    def log(self, name):
        """Return what a process wrote to its log."""
        path = self.runtime / "state" / "sfa" / "log" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def stop(self):
        if self.parent is not None and self.parent.poll() is None:
            self.parent.send_signal(signal.SIGTERM)
            self.parent.wait(60.0)
        # What a killed parent left behind.
        self.command("stop")


@contextmanager
def show(environment, device, settings="", *options, osc=0, prepare=lambda _: None):
    """The engine in a folder of its own; with OSC, if it is given a port, which is `osc` of it."""
    build.ensure()
    with tempfile.TemporaryDirectory(prefix="sfa-t-", dir=memory_path()) as folder:
        engine = Show(Path(folder), environment, device)
        engine.osc = osc
        file = engine.runtime / "config" / "sfa" / "config.toml"
        ours = f"[osc]\nport = {osc}\nzeroconf = false\n" if osc else file.read_text()
        file.write_text(ours + settings)
        try:
            prepare(engine)
            engine.start(*options)
            yield engine
        finally:
            engine.stop()


@pytest.fixture
def engine(jack):
    """The engine on the dummy server."""
    with show(jack.environment, "default") as running:
        yield running


@pytest.fixture
def silent_engine():
    """The engine on a timer."""
    with show({}, "none") as running:
        yield running


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """Two tracks of two stems, at 124 and 128 BPM, of forty seconds."""
    folder = tmp_path_factory.mktemp("bundles")
    rng = np.random.default_rng(2)
    made = []
    for number, bpm in ((1, 124.0), (2, 128.0)):
        stems = {
            name: (rng.standard_normal((40 * RATE, 2)) * 0.05).astype(np.float32)
            for name in ("vocals", "drums")
        }
        made.append(
            write_bundle_arrays(
                folder / f"{number}.sfa", stems, title=f"Track {number}", artist="Us", bpm=bpm
            )
        )
    return made


@pytest.fixture
def playing(engine, bundles):
    """The engine with both decks in a mix."""
    with engine.connect() as client:
        for deck, bundle in enumerate(bundles, 1):
            client.call("deck.load", deck=deck, path=str(bundle))
        client.call("set", path="deck1.leader", value=True)
        client.call("set", path="deck1.play", value=True)
        client.call("set", path="deck2.sync", value="beat")
        client.call("set", path="deck2.play", value=True)
        client.call("set", path="deck1.eq.low.gain", value=-3.0)
        client.call("set", path="crossfader", value=12.0, wait=True)
    return engine

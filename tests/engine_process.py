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
from house import NO_TAGS

from sfa_engine.engine.memory import Memory
from sfa_engine.errors import SfaError
from sfa_engine.host import build
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.run.folders import memory_path
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.wire.blocking import SocketClient

RATE = 48_000
TIMEOUT_S = 120.0  # preparation is nice, and waits for all other tests
RUNNING = ("driver is running", "self-connect")  # what jackd says once it is
LOG_LINES = 12  # of each process, that a failure shows


def until(condition, what, every_s=0.002, details=str):
    """Wait for a condition; a timeout is a failure that names it, with details."""
    give_up = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < give_up, f"waited {TIMEOUT_S:g} s for {what}{details()}"
        time.sleep(every_s)


class Jack:
    """A dummy JACK server of the tests' own."""

    def __init__(self, name):
        self.name = f"{name}-{os.getpid()}"  # others may run tests on this machine
        self.environment = {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}
        self.process = None

    def start(self):
        command = ["jackd", "-S", "-R", "-P", "60", "-n", self.name]
        # A file: where a pipe is full of xruns, the server does not end on SIGTERM.
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `stop`
        self.process = subprocess.Popen(
            [*command, "-d", "dummy", "-r", str(RATE), "-p", "128"],
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )

        def is_running():
            assert self.process.poll() is None, f"jackd did not start: {self.said()}"
            return any(words in self.said().lower() for words in RUNNING)

        until(is_running, "jackd", every_s=0.02, details=self.said)
        time.sleep(0.5)
        assert self.process.poll() is None, f"jackd did not start: {self.said()}"

    def said(self):
        """Return what the server has printed."""
        size = os.fstat(self.output.fileno()).st_size
        return os.pread(self.output.fileno(), size, 0).decode(errors="replace")

    def stop(self):
        if self.process is not None:
            # Not killed: JACK keeps a list of eight servers, and the dead stay on it.
            self.process.terminate()
            self.process.wait(TIMEOUT_S)
            self.output.close()
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
        self.last_answer = "none"
        # Engines of several tests would want one port, and look for tablets in the network.
        settings = runtime / "config" / "sfa" / "config.toml"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text("[osc]\nenabled = false\n" + NO_TAGS)
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
        until(self.answers, "the engine", details=self.state)

    def answers(self):
        # One that found another process of the engine's ends with 0.
        assert not self.parent.poll(), f"`sfa start` ended: {self.parent.poll()}{self.state()}"
        try:
            with self.connect() as client:
                blocks = client.call("status")["engine"]["blocks"]
        except SfaError as error:
            self.last_answer = str(error)
            return False
        self.last_answer = f"{blocks} blocks"
        return blocks > 0

    def state(self):
        """Return what is known of an engine that does not start: answers, files, logs, machine."""
        status = self.parent.poll()
        shared = shutil.disk_usage(memory_path())
        lines = [
            f"`sfa start`: {'runs' if status is None else f'ended with {status}'}",
            f"last answer: {self.last_answer}",
            f"load: {Path('/proc/loadavg').read_text().strip()}",
            f"{memory_path()}: {shared.free >> 20} MiB free",
            f"in {self.runtime}: {', '.join(sorted(map(str, self.runtime.iterdir())))}",
        ]
        logs = (self.runtime / "state" / "sfa" / "log").glob("*.log")
        for path in (self.runtime / "start.log", *sorted(logs)):
            lines.append(f"--- {path.name}")
            lines += path.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "".join(f"\n{line}" for line in lines)

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
        if any(map(lock_holder, self.runtime.glob("*.lock"))):  # a killed parent left them behind
            self.command("stop")


@contextmanager
def show(environment, device, settings="", *options, osc=0, prepare=lambda _: None):
    """The engine in a folder of its own; with OSC, if it is given a port, which is `osc` of it."""
    build.ensure()
    with tempfile.TemporaryDirectory(prefix="sfa-t-", dir=memory_path()) as folder:
        engine = Show(Path(folder), environment, device)
        engine.osc = osc
        file = engine.runtime / "config" / "sfa" / "config.toml"
        ours = f"[osc]\nport = {osc}\nzeroconf = false\n{NO_TAGS}" if osc else file.read_text()
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

"""The engine on PipeWire, which is what most desktops and Raspberry Pis run.

No card, no systemd: a PipeWire of the tests' own, whose sinks are null.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_process import show, until

from sfa_engine.run.folders import memory_path

pytestmark = [pytest.mark.realtime, pytest.mark.slow]

PROGRAMS = {
    "pipewire": "pipewire",
    "pw-link": "pipewire-bin",
    "pw-jack": "pipewire-jack",
    "wireplumber": "wireplumber",
    "dbus-daemon": "dbus-daemon",
}
SINK = """{{ factory.name = support.null-audio-sink node.name = "{0}" node.description = "{1}"
    media.class = Audio/Sink audio.position = [ FL FR ] object.linger = true
    priority.session = {2} }}"""
MAIN = SINK.format("main-sink", "Main Output", 2000)
SPARE = SINK.format("spare-sink", "Spare Output", 1000)
# In a virtual machine PipeWire does not go below 1024 frames unless told so.
CONFIG = f"""
context.properties = {{
    default.clock.allowed-rates = [ 44100 48000 ]
    default.clock.min-quantum = 16
    vm.overrides = {{ default.clock.min-quantum = 16 }}
}}
context.objects = [ {{ factory = adapter args = {MAIN} }} ]
"""
NODE = "Sound Forge Alchemy"


class PipeWire:
    """A PipeWire server and its session manager."""

    def __init__(self, folder):
        self.folder = folder
        drop_ins = folder / "config" / "pipewire" / "pipewire.conf.d"
        drop_ins.mkdir(parents=True)
        (drop_ins / "test.conf").write_text(CONFIG)
        self.environment = {
            "XDG_RUNTIME_DIR": str(folder),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus",
            "JACK_DEFAULT_SERVER": "",
            "JACK_NO_START_SERVER": "1",
        }
        state = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CONFIG", "STATE")}
        self._environment = {**os.environ, **self.environment, **state}
        self._running = []

    def begin(self, *command):
        self._running.append(
            subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        return self._running[-1]

    def start(self):
        if not (self.folder / "bus").exists():
            address = self.environment["DBUS_SESSION_BUS_ADDRESS"]
            self.begin("dbus-daemon", "--session", f"--address={address}", "--nofork")
            until((self.folder / "bus").exists, "the bus")
        self.server = self.begin("pipewire")
        # The socket of a killed server is still there; a manager that cannot connect to it ends.
        until(lambda: self.run("pw-cli", "info", "0"), "PipeWire")
        self.manager = self.begin("wireplumber")
        until(lambda: "Main Output" in self.run("pw-cli", "ls", "Node"), "the sink")
        until(lambda: "default.audio.sink" in self.run("pw-metadata", "0"), "a default sink")

    def kill(self):
        for process in (self.server, self.manager):
            process.kill()
            process.wait()

    def stop(self):
        for process in reversed(self._running):
            process.terminate()
        for process in self._running:
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, *command):
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=30
        )

    def run(self, *command):
        return self._run(*command).stdout

    def set(self, name, value):
        """Set a value of the settings; on a busy machine pw-metadata may end before it did."""

        def is_set():
            self.run("pw-metadata", "-n", "settings", "0", name, str(value))
            shown = self.run("pw-metadata", "-n", "settings", "0", name)
            return f"key:'{name}' value:'{value}'" in shown

        until(is_set, f"{name} {value}")

    def unlink(self, output, to):
        """Part two ports; on a busy machine pw-link may not find them at once."""
        until(lambda: self._run("pw-link", "-d", output, to).returncode == 0, "pw-link")

    def engines(self):
        """Return the names of the engines that have outputs."""
        ports = self.run("pw-link", "-o").splitlines()
        return {port.removesuffix(":out_0") for port in ports if port.endswith(":out_0")}

    @property
    def node(self):
        """Name of the one engine that runs: one that was started again may have a number."""
        return min(self.engines(), default=NODE)

    def links(self, node=""):
        """Return what each output of an engine is linked to."""
        node = node or self.node
        found = {}
        port = ""
        for line in self.run("pw-link", "-o", "-l").splitlines():
            if line.startswith(" "):
                found[port].append(line.split("|-> ")[1])
            else:
                port = line.removeprefix(f"{node}:")
                found[port] = []
        return {port: to for port, to in found.items() if port.startswith("out_")}

    def add(self, sink):
        """Make a sink that stays when its maker ends."""
        self.run("pw-cli", "create-node", "adapter", sink)

    def remove(self, name):
        for block in re.split(r"^\s*id ", self.run("pw-cli", "ls", "Node"), flags=re.MULTILINE):
            if f'"{name}"' in block:
                self.run("pw-cli", "destroy", block.split(",")[0])


@contextmanager
def pipewire_server():
    """A PipeWire of the tests' own."""
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: apt-get install {package}")
    with tempfile.TemporaryDirectory(prefix="sfa-pw-", dir=memory_path()) as folder:
        server = PipeWire(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def pipewire():
    with pipewire_server() as server:
        yield server


@pytest.fixture(scope="module")
def engine(pipewire):
    """An engine that all these tests play on; each leaves it as it was."""
    with show(pipewire.environment, "default") as running:
        yield running


@pytest.fixture(scope="module")
def client(engine):
    with engine.connect() as client:
        yield client


def linked_to(sink):
    return {"out_0": [f"{sink}:playback_FL"], "out_1": [f"{sink}:playback_FR"]}


def engine_says(client, **facts):
    said = client.call("status")["engine"]
    return all(said[name] == value for name, value in facts.items())


def trouble(client):
    said = client.call("health")
    return said["health"] + " " + "; ".join(said["reasons"])


def test_pipewire_is_found_without_pw_jack_and_gives_the_block_of_the_configuration(
    pipewire, client
):
    said = client.call("status")["engine"]
    assert said["device"] == "Main Output (PipeWire)"
    until(lambda: engine_says(client, block=128, rate=48_000), "blocks of 128 frames")
    assert pipewire.links() == linked_to("main-sink")


def test_the_numbers_of_devices_are_the_same_while_an_engine_runs(pipewire, engine):
    pipewire.add(SPARE)
    until(lambda: "spare-sink" in pipewire.run("pw-link", "-i"), "a second sink")
    status, listed, _ = engine.command("devices", "--json")
    assert status == 0
    numbers = {d["index"]: d["name"] for d in json.loads(listed)}
    assert numbers == {0: "Main Output", 1: "Spare Output"}
    pipewire.remove("spare-sink")


def test_doctor_names_what_is_forced_and_the_command_that_undoes_it(pipewire, engine):
    pipewire.set("clock.min-quantum", 256)
    findings = json.loads(engine.command("doctor", "--json")[1])
    found = next(f for f in findings if f["what"] == "PipeWire")
    pipewire.set("clock.min-quantum", 16)
    assert "48000 Hz, blocks of 256 to" in found["found"]
    assert found["cure"].startswith("pw-metadata -n settings 0 clock.min-quantum 128")


@pytest.mark.parametrize("frames", [2048, 64, 1024])
def test_the_block_that_is_told_is_the_one_of_the_graph(pipewire, client, frames):
    pipewire.set("clock.force-quantum", frames)
    until(lambda: engine_says(client, block=frames), f"blocks of {frames} frames")
    said = client.call("status")["engine"]
    assert said["latency_ms"] == pytest.approx(frames / 48.0, abs=1.0)
    pipewire.set("clock.force-quantum", 128)
    until(lambda: engine_says(client, block=128), "blocks of 128 frames")


def test_blocks_that_pipewire_went_on_without_are_counted(engine):
    memory = engine.memory().engine
    host, before = int(memory["host_pid"]), int(memory["device_misses"])
    os.kill(host, signal.SIGSTOP)
    time.sleep(0.15)
    os.kill(host, signal.SIGCONT)
    until(lambda: int(memory["device_misses"]) > before, "a miss")


def speed(engine):
    """Return the seconds of the track that pass in one; 0 if the host missed blocks, or began."""

    def reading():
        memory = engine.memory()
        words = ("host_started_ns", "device_misses", "fresh")
        same = [int(memory.engine[word]) for word in words]
        return same, int(memory.engine["monotonic_ns"]) / 1e9, memory.value("deck1.position")

    before, t0, p0 = reading()
    time.sleep(1.0)
    after, t1, p1 = reading()
    return (p1 - p0) / (t1 - t0) if before == after else 0.0


def test_another_rate_of_the_graph_is_followed_and_the_track_plays_at_its_own_speed(
    pipewire, engine, client, bundles
):
    client.call("deck.load", deck=1, path=str(bundles[0]))
    client.call("set", path="deck1.play", value=True)
    for rate in (44_100, 48_000):
        pipewire.set("clock.force-rate", rate)
        until(lambda: engine_says(client, rate=rate), f"{rate} Hz")  # noqa: B023
        until(lambda: pipewire.links() == linked_to("main-sink"), "links")
        client.call("set", path="deck1.position", value=0.0)
        # else 0.919 or 1.088
        until(lambda: abs(speed(engine) - 1.0) < 0.04, "a second at the track's own speed")
    pipewire.set("clock.force-rate", 0)
    assert "was opened at 48000 Hz, reopening" in engine.log("host")


def test_an_output_without_a_link_is_told_and_linked_again(pipewire, client):
    pipewire.unlink(f"{pipewire.node}:out_0", "main-sink:playback_FL")
    lost = 'failing device: out_0: no link to "Main Output"'
    until(lambda: lost in trouble(client), "health")
    until(lambda: pipewire.links() == linked_to("main-sink"), "the link")
    until(lambda: trouble(client).startswith("degraded"), "health")
    assert "linked again" in trouble(client)


def test_a_sink_that_is_gone_is_told_and_linked_when_it_is_back(pipewire, client):
    pipewire.remove("main-sink")
    gone = 'failing device: "Main Output" is gone: nothing is heard until it is back'
    until(lambda: gone in trouble(client), "a word of it")
    pipewire.add(MAIN)
    until(lambda: pipewire.links() == linked_to("main-sink"), "the links")
    until(lambda: not trouble(client).startswith("failing"), "health")


def test_the_default_sink_plays_while_the_one_that_was_opened_is_gone(pipewire, client):
    pipewire.add(SPARE)
    until(lambda: "spare-sink" in pipewire.run("pw-link", "-i"), "a second sink")
    pipewire.remove("main-sink")
    until(lambda: pipewire.links() == linked_to("spare-sink"), "links to the other")
    until(lambda: '"Spare Output" plays in its place' in trouble(client), "a word of it")
    pipewire.add(MAIN)
    until(lambda: pipewire.links() == linked_to("main-sink"), "the links")
    pipewire.remove("spare-sink")


def test_a_recorder_that_is_linked_to_us_is_no_speaker_and_stays_linked(pipewire, client):
    name = "{ node.name = recorder node.autoconnect = false }"
    recorder = pipewire.begin("pw-record", "--channels", "2", "-P", name, "/dev/null")
    until(lambda: "recorder:input_FR" in pipewire.run("pw-link", "-i"), "a recorder")
    for port, side in (("out_0", "FL"), ("out_1", "FR")):
        pipewire.run("pw-link", f"{pipewire.node}:{port}", f"recorder:input_{side}")
    pipewire.remove("main-sink")
    recorded = linked_to("recorder")
    recorded = {
        port: [to.replace("playback", "input") for to in tos] for port, tos in recorded.items()
    }
    gone = 'failing device: "Main Output" is gone: nothing is heard until it is back'
    until(lambda: gone in trouble(client), "a word of it")
    pipewire.add(SPARE)
    until(lambda: '"Spare Output" plays in its place' in trouble(client), "a word of it")
    pipewire.add(MAIN)

    def with_main():
        links = pipewire.links()
        return all(set(links[p]) == {*recorded[p], *linked_to("main-sink")[p]} for p in recorded)

    until(with_main, "links to the sink and the recorder, and no other")
    recorder.terminate()
    pipewire.remove("spare-sink")
    until(lambda: pipewire.links() == linked_to("main-sink"), "the recorder's end")


def test_a_fixed_rate_that_the_graph_leaves_keeps_the_music_playing(pipewire, client, bundles):
    other = client

    def is_at_48k(engine):
        # A graph that is being set up may not take it at once; and without a rate that is forced,
        # PipeWire may keep the last one while clients run.
        pipewire.set("clock.force-rate", 48_000)
        return engine_says(engine, rate=48_000)

    with show(pipewire.environment, "default") as fixed:
        fixed.stop()
        fixed.start("--rate", "48000")
        with fixed.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
            client.call("set", path="deck1.play", value=True)
            pipewire.set("clock.force-rate", 44_100)
            try:
                device = "Main Output (PipeWire at its own 44100 Hz, not at 48000)"
                now = {"driver": "portaudio", "device": device, "rate": 44_100}

                def is_followed():
                    pipewire.set("clock.force-rate", 44_100)
                    return engine_says(client, **now)

                until(is_followed, "the graph's rate", 1.0, lambda: fixed.log("host")[-2000:])
                until(lambda: fixed.memory().reading("master.level") > 0.001, "music")
            finally:
                until(lambda: is_at_48k(client), "the rate that was asked for", 1.0)
    until(lambda: is_at_48k(other), "the other engine", 1.0, lambda: str(other.call("status")))
    pipewire.set("clock.force-rate", 0)
    until(lambda: "failing" not in trouble(other), "its health")


def test_a_second_engine_has_a_name_of_its_own_and_watches_its_own_links(pipewire, client):
    before = pipewire.engines()  # one that was started again may have the number 2
    with show(pipewire.environment, "default") as second, second.connect() as other:
        until(lambda: pipewire.engines() - before, "its outputs")
        (node,) = pipewire.engines() - before
        until(lambda: pipewire.links(node) == linked_to("main-sink"), "links")
        pipewire.unlink(f"{node}:out_1", "main-sink:playback_FR")
        # pw-link may end seconds after it has parted them, when the link is there again.
        words = ("device: out_1", "linked again")
        until(lambda: any(word in trouble(other) for word in words), "a word of the lost link")
        assert "device: out_1" not in trouble(client)


def test_a_server_that_dies_leaves_a_timer_and_the_next_one_is_played_on(pipewire, client):
    pipewire.kill()
    until(lambda: engine_says(client, driver="timer"), "the timer")
    until(lambda: trouble(client).startswith("failing"), "the timer's first block")
    pipewire.start()
    until(lambda: engine_says(client, driver="portaudio"), "the device")
    until(lambda: pipewire.links() == linked_to("main-sink"), "links")
    assert client.call("status")["engine"]["device"] == "Main Output (PipeWire)"

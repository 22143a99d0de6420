"""OSC over real sockets, against the engine in processes of its own."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from click.testing import CliRunner
from engine_process import show, until
from osc_client import Client, bundle, free_port, message
from pythonosc.osc_packet import OscPacket
from rtp_controller import NetworkController, free_pair

from sfa_engine.cli.main import main
from sfa_engine.surfaces.osc.framing import Framing

pytestmark = pytest.mark.slow
NEAR = {"abs": 1e-6}


@pytest.fixture(scope="module")
def engine(bundles):
    """An engine on a timer with a track on deck 1, and the port of its OSC."""
    rtpmidi = free_pair()
    settings = f"[rtpmidi]\nenabled = true\nport = {rtpmidi}\nzeroconf = false\n"
    with show({}, "none", settings, "--no-backstage", osc=free_port()) as running:
        running.rtpmidi = rtpmidi
        with running.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
        yield running


@pytest.fixture
def control(engine):
    with engine.connect() as client:
        yield client


@pytest.fixture
def peer(engine):
    with Client(engine.osc) as client:
        yield client


@pytest.fixture
def other(engine):
    with Client(engine.osc) as client:
        yield client


def value(control, path):
    return control.call("get", path=path)["value"]


def becomes(control, path, wanted):
    until(lambda: value(control, path) == pytest.approx(wanted, **NEAR), f"{path} = {wanted}")


def subscribe(peer, *more):
    peer.send("/sfa/subscribe", 0, *more)
    peer.until(lambda a, _: a == "/sfa/subscribed", "the answer")
    peer.send("/sfa/ping", "settled")
    quiet_s = time.monotonic()
    while time.monotonic() - quiet_s < 0.3:  # the full dump
        if any(not a.endswith("position") and "meter" not in a for a, _ in peer.read()):
            quiet_s = time.monotonic() if len(peer.told) < 500 else quiet_s
    del peer.told[:]


def test_a_fader_is_set_in_its_unit_and_by_its_travel(peer, control):
    peer.send("/crossfader", -25.0)
    becomes(control, "crossfader", -25.0)
    peer.send("/n/crossfader", 0.75)
    becomes(control, "crossfader", 50.0)
    peer.send("/deck1/stem/vocals/mute", 1)
    becomes(control, "deck1.stem.vocals.mute", 1.0)
    peer.send("/crossfader_curve", "power")
    becomes(control, "crossfader_curve", 1.0)
    peer.send("/deck1/stem/vocals/mute", False)
    becomes(control, "deck1.stem.vocals.mute", 0.0)


def test_a_message_without_an_argument_queries_a_value(peer):
    peer.send("/deck2/trim", -3.5)
    assert peer.ask("/deck2/trim") == [-3.5]
    assert peer.ask("/deck1/title") == ["Track 1"]
    assert peer.ask("/n/crossfader")[0] == pytest.approx(0.75)
    assert peer.ask("/n/deck2/loop/start") == [None]


def test_every_press_of_a_button_counts(peer, control):
    peer.send("/deck1/position", 10.0)
    becomes(control, "deck1.position", 10.0)
    for _ in range(20):
        peer.send("/deck1/jump", 1)
        peer.send("/deck1/jump", 0)
    beat_s = 60 / 124
    becomes(control, "deck1.position", pytest.approx(10.0 + 20 * beat_s, abs=1e-3))


def test_a_held_button_is_let_go_by_zero(peer, control):
    peer.send("/deck1/position", 5.0)
    becomes(control, "deck1.position", 5.0)
    peer.send("/deck1/cue")
    becomes(control, "deck1.cue_point", 5.0)
    peer.send("/deck1/cue", 0)
    becomes(control, "deck1.play", 0.0)


@pytest.mark.parametrize(
    ("address", "arguments", "sentence"),
    [
        ("/deck1/stem/vocal/volume", [1.0], "deck1.stem.vocals.volume"),
        ("/stem/7/volume", [1.0], "stems 1 to 6"),
        ("/crossfader", [1000.0], "out of range"),
        ("/crossfader", [float("nan")], "finite"),
        ("/n/crossfader", [float("inf")], "finite"),
        ("/deck1/level", [1.0], "reading"),
        ("/deck2/jump", [1], "no track"),
        ("/deck1/load", ["x"], "not a track number"),
        ("/deck9/load", [1], "no deck 9"),
        ("/sfa/subscribe", [70_000], "not a port"),
    ],
)
def test_an_error_is_the_answer(peer, control, address, arguments, sentence):
    before = value(control, "crossfader")
    peer.send(address, *arguments)
    answer = peer.until(lambda a, _: a == "/sfa/error", "an error")[1]
    assert answer[0] == address
    assert sentence in answer[1]
    assert value(control, "crossfader") == before


def test_a_load_says_what_is_missing(peer):
    peer.send("/deck2/load", 12)
    answer = peer.until(lambda a, _: a == "/sfa/error", "an error")[1]
    assert answer == ["/deck2/load", "backstage is not running; start it with `sfa start`"]


def test_a_locked_load_says_what_a_peer_can_do(peer, control):
    control.call("set", path="session.lock", value="on")
    control.call("set", path="deck1.play", value=True, wait=True)
    peer.send("/deck1/load", 12)
    answer = peer.until(lambda a, _: a == "/sfa/error", "an error")[1]
    address, sentence = answer
    assert address == "/deck1/load"
    assert "session.lock (on) refuses loading; stop the deck, or send /session/lock off" in sentence
    control.call("set", path="deck1.play", value=False, wait=True)
    peer.send("/session/lock", "off")
    until(lambda: value(control, "session.lock") == 0, "the end of the lock")
    control.call("set", path="session.lock", value="auto")


def test_a_stem_of_a_deck_without_a_track_says_which_deck(peer):
    for address, source, deck in (
        ("/deck1/stem/vocals/source", "deck2", 2),
        ("/deck2/stem/vocals/source", "deck1", 2),
    ):
        peer.send(address, source)
        answer = peer.until(
            lambda a, said, sent=address: a == "/sfa/error" and said[0] == sent, "an error"
        )[1]
        assert f"there is no track on deck {deck}; load one: `sfa load {deck} TRACK`" in answer[1]


def test_a_bundle_is_done_at_its_time(peer, control):
    peer.send("/deck2/trim", 0.0)
    becomes(control, "deck2.trim", 0.0)
    at_s = time.time() + 0.6
    peer.socket.send(bundle(message("/deck2/trim", -6.0), at_s=at_s))
    until(lambda: control.call("commands.waiting"), "a command that waits")
    (waiting,) = control.call("commands.waiting")
    engine = control.call("status")["engine"]
    due_s = (waiting["when"] - engine["frame"]) / engine["rate"]
    assert due_s == pytest.approx(at_s - time.time(), abs=0.05)
    assert value(control, "deck2.trim") == 0.0
    becomes(control, "deck2.trim", -6.0)
    assert time.time() == pytest.approx(at_s, abs=0.3)
    peer.socket.send(bundle(message("/deck2/trim", 1.0), at_s=time.time() - 100))
    becomes(control, "deck2.trim", 1.0)
    peer.socket.send(bundle(message("/deck2/trim", 2.0), at_s=time.time() + 4000))
    assert "s ahead" in peer.until(lambda a, _: a == "/sfa/error", "an error")[1][1]


def test_a_subscriber_gets_all_values_and_then_changes(peer, control):
    peer.send("/sfa/subscribe")
    assert peer.until(lambda a, _: a == "/sfa/subscribed", "it")[1] == [peer.port, 30.0, 60.0]
    peer.until(lambda a, _: a == "/deck2/hotcue32/position", "the last of everything")
    peer.until(lambda a, _: a == "/session/lock", "it all")
    del peer.told[:]
    control.call("set", path="deck2.eq.low.gain", value=-9.0)
    peer.until(lambda a, v: (a, v) == ("/deck2/eq/low/gain", [-9.0]), "the change")
    peer.until(lambda a, _: a == "/n/deck2/eq/low/gain", "its travel")


def test_two_peers_on_one_fader_get_each_others_changes_and_not_their_own(peer, other, control):
    subscribe(peer)
    subscribe(other)
    for number in range(30):
        (peer if number % 2 else other).send("/deck2/fader", -float(number))
        time.sleep(0.01)
    becomes(control, "deck2.fader", -29.0)
    heard = other.until(lambda a, v: a == "/deck2/fader" and v == [-29.0], "the other's value")
    assert heard
    time.sleep(0.4)
    peer.read()
    assert [v for a, v in peer.told if a == "/deck2/fader" and v == [-29.0]] == []


def test_a_peer_gets_the_value_that_was_applied(peer, control):
    subscribe(peer)
    assert value(control, "deck2.loaded") == 0.0
    peer.send("/deck2/play", 1)
    peer.until(lambda a, v: a == "/sfa/error" and v[0] == "/deck2/play", "an error")
    peer.until(lambda a, v: (a, v) == ("/deck2/play", [0]), "the switch as it is")


def test_a_subscription_ends(peer, control):
    subscribe(peer)
    peer.send("/sfa/unsubscribe")
    peer.ask("/sfa/ping", 1, answer="/sfa/pong")
    del peer.told[:]
    control.call("set", path="deck2.eq.mid.gain", value=-5.0)
    time.sleep(0.2)
    assert peer.read() == []


def test_resync_sends_all_values_again(peer):
    subscribe(peer)
    peer.send("/sfa/resync")
    peer.until(lambda a, _: a == "/session/lock", "it all")
    peer.until(lambda a, _: a == "/deck1/title", "it all")


def test_a_disconnected_peer_gets_no_more_and_costs_no_other_anything(engine, control, other):
    with Client(engine.osc) as gone:
        subscribe(gone)
        port = gone.port
    subscribe(other)

    def rate_of(wanted):
        peers = control.call("osc.peers")["peers"]
        return [p["rate_hz"] for p in peers if p["address"].endswith(f":{wanted}")]

    until(lambda: rate_of(port) == [0.0], "that it is told no more")
    assert rate_of(other.port) == [30.0]
    control.call("set", path="deck2.eq.high.gain", value=-4.0)
    other.until(lambda a, v: (a, v) == ("/deck2/eq/high/gain", [-4.0]), "the change")


def test_upstreams_addresses_play_the_focused_deck(peer, control):
    subscribe(peer)
    control.call("set", path="session.focus", value="deck2")
    peer.send("/stem/1/volume", 0.5)
    scale_value = value(control, "deck2.stem.vocals.volume")
    until(lambda: value(control, "deck2.stem.vocals.volume") != 0.0, "the volume")
    assert scale_value is not None
    peer.send("/stem/3/mute", 1)
    becomes(control, "deck2.stem.bass.mute", 1.0)
    peer.send("/stem/3/mute", 0)
    becomes(control, "deck2.stem.bass.mute", 0.0)
    control.call("set", path="session.focus", value="deck1")
    peer.until(lambda a, v: (a, v) == ("/track/title", ["Track 1"]), "the title")
    peer.send("/transport/play", 1.0)
    becomes(control, "deck1.play", 1.0)
    peer.send("/transport/stop", 1.0)
    becomes(control, "deck1.play", 0.0)
    peer.send("/bpm", 130.0)
    becomes(control, "deck1.bpm", 130.0)
    peer.send("/transport/next", 1.0)
    peer.send("/transport/prev", 1.0)
    becomes(control, "browse.position", 0.0)


def test_the_desk_is_described_in_pages(peer):
    seen, following = {}, 0
    while following != -1:
        del peer.told[:]
        peer.send("/sfa/describe", following)
        following, total = peer.until(lambda a, _: a == "/sfa/described", "a page")[1]
        seen |= {v[1]: v for a, v in peer.told if a == "/sfa/control"}
    assert len(seen) == total > 300
    assert seen["/crossfader"][2:5] == ["fader", "XFADER", "%"]
    assert seen["/crossfader"][6:] == [-100.0, 100.0]


# ---------------------------------------------------------------- TCP


@pytest.mark.parametrize("slip", [True, False])
def test_both_framings_play_and_get_feedback_on_the_connection(engine, control, slip):
    framing = Framing()
    framing.feed(b"\xc0" if slip else bytes(4))
    with socket.create_connection(("127.0.0.1", engine.osc)) as line:
        line.settimeout(20)
        wanted = -11.0 if slip else -12.0
        for each in (message("/deck1/trim", wanted), message("/sfa/subscribe"),
                     message("/sfa/ping", 7)):  # fmt: skip
            line.sendall(framing.frame(each.dgram))
        becomes(control, "deck1.trim", wanted)
        told = {}
        while "/sfa/pong" not in told or "/session/lock" not in told:
            for packet in framing.feed(line.recv(65536)):
                if packet:
                    told |= {m.message.address: list(m.message) for m in OscPacket(packet).messages}
        assert told["/sfa/pong"] == [7]


def test_a_line_of_something_else_is_closed_and_the_next_one_works(engine):
    with socket.create_connection(("127.0.0.1", engine.osc)) as line:
        line.settimeout(20)
        line.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert line.recv(10) == b""
    with socket.create_connection(("127.0.0.1", engine.osc)) as line:
        line.settimeout(20)
        line.sendall(Framing().frame(message("/sfa/ping", 3).dgram))
        assert b"/sfa/pong" in line.recv(4096)


def test_a_connection_that_reads_nothing_delays_no_other(engine, peer):
    with socket.create_connection(("127.0.0.1", engine.osc)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        frame = Framing().frame
        line.sendall(frame(message("/sfa/subscribe", 0, 60.0).dgram))
        line.setblocking(False)
        many = frame(message("/sfa/resync").dgram) * 50
        with suppress(BlockingIOError):
            for _ in range(200):
                line.send(many)
        began_s = time.monotonic()
        peer.ask("/sfa/ping", 1, answer="/sfa/pong")
        assert time.monotonic() - began_s < 2.0


# ---------------------------------------------------------------- independent peers


def liblo(name):
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install liblo-tools")
    return found


def test_liblo_plays_and_receives(engine, control):
    receive, send = free_port(), str(engine.osc)
    command = ["stdbuf", "-oL", liblo("oscdump"), str(receive)]
    dump = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        liblo("oscsend")
        subprocess.run(["oscsend", "127.0.0.1", send, "/deck2/filter", "f", "33"], check=True)
        becomes(control, "deck2.filter", 33.0)
        subprocess.run(["oscsend", "localhost", send, "/deck2/pfl", "T"], check=True)
        becomes(control, "deck2.pfl", 1.0)
        received = b""
        expected = (b"/n/deck2/filter f 0.665", b"/deck2/filter f 33")
        while not all(each in received for each in expected):
            if not select.select([dump.stdout], [], [], 3.0)[0] or not received:
                subscribe = [
                    "/sfa/subscribe",
                    "i",
                    str(receive),
                ]  # again: UDP loses some under load
                subprocess.run(["oscsend", "127.0.0.1", send, *subscribe], check=True)
            received += os.read(dump.stdout.fileno(), 65536)
    finally:
        dump.terminate()
        dump.wait(10)
        dump.stdout.close()


@pytest.mark.nightly
def test_node_osc_plays_and_receives(engine, control, tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: apt-get install npm")
    subprocess.run(["npm", "install", "--silent", "node-osc"], cwd=tmp_path, check=True)
    script = """
        import { Client, Server, Bundle } from 'node-osc';
        const [port, mine] = process.argv.slice(2).map(Number);
        const server = new Server(mine, '127.0.0.1', () => {
            const client = new Client('127.0.0.1', port);
            client.send(new Bundle(['/deck2/resonance', 61], ['/deck2/eq/mid/kill', 1]));
            client.send('/sfa/subscribe', mine);
        });
        const told = ([address, ...values]) => {
            if (address === '/deck2/resonance') { console.log(values[0]); process.exit(0); }
        };
        server.on('message', told);
        server.on('bundle', (bundle) => bundle.elements.forEach(told));
    """
    (tmp_path / "peer.mjs").write_text(script)
    done = subprocess.run(
        ["node", "peer.mjs", str(engine.osc), str(free_port())],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert float(done.stdout) == 61
    becomes(control, "deck2.eq.mid.kill", 1.0)


# ---------------------------------------------------------------- the command line, and life


@pytest.fixture
def sfa(engine, monkeypatch):
    """Run the command line in this process; return status, output and errors."""
    for name in ("SFA_RUNTIME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, engine.environment[name])

    def run(*words):
        done = CliRunner().invoke(main, words)
        return done.exit_code, done.stdout, done.stderr

    return run


def test_the_monitor_shows_the_feedback_of_a_tablet(engine, control):
    command = [
        # Where tests run in the background, Ctrl-C is nothing to those that they start.
        *("env", "--default-signal=INT"),
        *(sys.executable, "-m", "sfa_engine.cli.main", "osc", "monitor", "--rate", "60"),
    ]
    monitor = subprocess.Popen(
        command, env=engine.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        seen = [monitor.stdout.readline()]  # of everything
        control.call("set", path="deck2.resonance", value=47.5)
        while seen[-1] != "/deck2/resonance 47.5\n":
            seen.append(monitor.stdout.readline())
            assert seen[-1]
        assert not [line for line in seen if line.startswith(("/sfa/", "/n/"))]
    finally:
        monitor.send_signal(signal.SIGINT)
        _, errors = monitor.communicate(timeout=20)
    assert "Traceback" not in errors


def test_the_command_line_shows_and_ends_sessions_of_network_midi(engine, sfa, control):
    port = engine.rtpmidi
    assert sfa("midi", "network") == (0, f"Sound Forge Alchemy, port {port}\n", "")
    with NetworkController("Knobs", port) as knobs:
        until(lambda: knobs.pump() or control.call("midi.network")["sessions"], "the session")
        _, out, _ = sfa("midi", "network")
        assert "  Knobs at 127.0.0.1:" in out
        assert ": open, 0 received, 0 sent, 0 packets lost" in out
        _, out, _ = sfa("midi", "network", "--json")
        assert json.loads(out)["sessions"][0]["name"] == "Knobs"
        assert sfa("midi", "disconnect", "Knobs") == (0, "the session is ended\n", "")
        assert control.call("midi.network")["sessions"] == []
    nobody = f"127.0.0.1:{free_pair()}"
    assert sfa("midi", "connect", nobody)[1].startswith(f"{nobody} is invited;")
    assert f"  invited: {nobody}\n" in sfa("midi", "network")[1]
    assert sfa("midi", "disconnect", nobody)[0] == 0
    status, _, err = sfa("midi", "disconnect", "nobody.local")
    assert status == 1
    assert 'no session with "nobody.local"' in err
    assert "is not a host" in sfa("midi", "connect", "a b")[2]


def test_the_command_line_lists_peers_and_sends(sfa, control, peer):
    peer.ask("/sfa/ping", 1, answer="/sfa/pong")
    status, out, err = sfa("osc", "peers", "--json")
    assert status == 0, err
    (mine,) = [p for p in json.loads(out)["peers"] if p["address"].endswith(f":{peer.port}")]
    assert mine["messages"] >= 1
    status, out, _ = sfa("osc", "peers")
    assert f"127.0.0.1:{peer.port}" in out
    status, out, err = sfa("osc", "send", "/deck1/filter", "-12.5")
    assert (status, err) == (0, "")
    becomes(control, "deck1.filter", -12.5)
    status, out, _ = sfa("osc", "send", "/deck1/filter")
    assert (status, out.strip()) == (0, "/deck1/filter -12.5")
    status, _, err = sfa("osc", "send", "/deck1/filtre", "1")
    assert status == 1
    assert "deck1.filter" in err


def test_a_new_stage_serves_the_subscribers_of_the_one_that_was_killed(engine, peer):
    subscribe(peer)
    with engine.connect() as client:
        os.kill(client.call("status")["engine"]["stage_pid"], signal.SIGKILL)
    until(engine.answers, "the next stage")
    peer.until(lambda a, _: a == "/session/lock", "everything again")
    with engine.connect() as client:
        client.call("set", path="deck2.trim", value=3.0)
    peer.until(lambda a, v: (a, v) == ("/deck2/trim", [3.0]), "the change")

"""What a client holds is released when it goes away, by every surface that has clients."""

import socket
import time

import pytest
from engine_process import show, until
from osc_client import Client, free_port, message

from sfa_engine.desk import CONTROLS
from sfa_engine.stage.holds import Holds, rest_of
from sfa_engine.surfaces.osc.peer import Peers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(bundles):
    with show({}, "none", "", "--no-backstage", osc=free_port()) as running:
        with running.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
            client.call("set", path="deck1.rate", value=0.25)  # its 40 s last for all tests
            client.call("set", path="deck1.play", value=True)
        yield running


@pytest.fixture
def control(engine):
    with engine.connect() as client:
        yield client


def value(control, path):
    return control.call("get", path=path)["value"]


def becomes(control, path, wanted):
    until(lambda: value(control, path) == wanted, f"{path} = {wanted}")


HELD = {
    "deck1.touch": ("set", True, lambda control: value(control, "deck1.touch")),
    "deck1.bend": ("set", 4.0, lambda control: value(control, "deck1.bend")),
    "deck1.scratch": ("set", 50.0, lambda control: value(control, "deck1.scratch")),
    "session.shift": ("set", True, lambda control: value(control, "session.shift")),
    "deck1.loop.roll": ("press", 1, lambda control: value(control, "deck1.loop.active")),
    "deck1.censor": ("press", 1, lambda control: value(control, "deck1.slipping")),
}


@pytest.mark.parametrize("path", HELD)
def test_a_client_of_the_socket_that_leaves_lets_go(engine, control, path):
    method, held, reading = HELD[path]
    with engine.connect() as other:
        other.call(method, path=path, value=held)
        until(lambda: reading(control), f"{path} to be held")
    until(lambda: not reading(control), f"{path} to be released")
    assert value(control, "deck1.play") == 1


def test_a_client_that_is_cut_off_lets_go(engine, control):
    other = engine.connect()
    other.call("set", path="deck1.bend", value=3.0)
    becomes(control, "deck1.bend", 3.0)
    other._socket.shutdown(socket.SHUT_RDWR)  # as the kernel does for a process that is killed
    becomes(control, "deck1.bend", 0.0)
    other.close()


@pytest.mark.parametrize("path", ["deck1.bend", "deck1.loop.roll"])
def test_a_client_may_keep_what_it_holds(engine, control, path):
    method, held, reading = HELD[path]
    with engine.connect() as other:
        other.call(method, path=path, value=held, keep=True)
    with engine.connect() as third:  # one after the other is served to its end
        third.call("status")
    time.sleep(0.2)
    assert reading(control)
    control.call(method, path=path, value=0)
    until(lambda: not reading(control), f"{path} to be released")


def test_the_command_line_holds_beyond_its_end(engine, control):
    assert engine.command("set", "deck1.bend", "2")[0] == 0
    time.sleep(0.2)
    assert value(control, "deck1.bend") == 2.0
    assert engine.command("set", "deck1.bend", "0")[0] == 0


def test_who_held_it_before_does_not_let_go_of_it(engine, control):
    with engine.connect() as other:
        other.call("set", path="deck1.bend", value=3.0)
        control.call("set", path="deck1.bend", value=5.0)
    with engine.connect() as third:
        third.call("status")
    time.sleep(0.2)
    assert value(control, "deck1.bend") == 5.0
    control.call("set", path="deck1.bend", value=0.0)


def test_a_press_that_waits_goes_on_waiting(engine, control):
    # As of `sfa press deck1.hotcue1.press --at "bar deck1"`, which ends at once.
    with engine.connect() as other:
        frame = other.call("status")["engine"]["frame"] + 480_000
        other.call("press", path="deck1.loop.roll", value=1, when=frame)
    with engine.connect() as third:
        third.call("status")
    time.sleep(0.2)
    (waiting,) = control.call("commands.waiting")
    control.call("commands.cancel", id=waiting["id"])


def test_a_tablet_that_is_closed_lets_go(engine, control):
    with Client(engine.osc) as peer:
        peer.send("/sfa/subscribe", 0)
        peer.until(lambda address, _: address == "/sfa/subscribed", "the answer")
        peer.send("/deck1/bend", 4.0)
        becomes(control, "deck1.bend", 4.0)
        peer.read()
    becomes(control, "deck1.bend", 0.0)  # its port is unreachable


def test_a_sender_without_a_port_to_receive_on_holds(engine, control):
    closed = free_port()
    with Client(engine.osc) as peer:
        peer.send("/sfa/subscribe", closed)
        time.sleep(0.3)
        peer.send("/deck1/bend", 4.0)
        becomes(control, "deck1.bend", 4.0)
        time.sleep(0.5)
        assert value(control, "deck1.bend") == 4.0
        peer.send("/deck1/bend", 0.0)
        becomes(control, "deck1.bend", 0.0)


def test_a_connection_of_osc_that_closes_lets_go(engine, control):
    with socket.create_connection(("127.0.0.1", engine.osc)) as line:
        packet = message("/deck1/loop/roll", 1).dgram
        line.sendall(len(packet).to_bytes(4, "big") + packet)
        until(lambda: value(control, "deck1.loop.active"), "the roll")
    until(lambda: not value(control, "deck1.loop.active"), "the end of the roll")


def test_a_peer_that_is_silent_or_forgotten_is_gone():
    peers = Peers()
    talking, silent, line = (
        peers.add(("127.0.0.1", port), lambda *_: True, transport=kind)
        for port, kind in ((1, "udp"), (2, "udp"), (3, "tcp"))
    )
    talking.last_received_s = 90.0
    silent.last_received_s = line.last_received_s = 30.0
    forgotten = silent.source + 50
    sources = {1001, talking.source, silent.source, line.source, forgotten}
    assert peers.gone(sources, 100.0) == {silent.source, forgotten}


def test_a_hold_is_of_who_took_it_last_and_ends_at_rest():
    holds = Holds()
    bend, roll = CONTROLS["deck1.bend"], CONTROLS["deck1.loop.roll"]
    holds.note(bend, 3.0, 7)
    holds.note(roll, 1.0, 7)
    holds.note(bend, 4.0, 8)
    assert holds.of(7) == ["deck1.loop.roll"]
    assert holds.of(8) == ["deck1.bend"]
    holds.note(roll, rest_of(roll), 9)
    assert holds.sources() == {8}
    holds.drop("deck1.bend")
    assert not holds.sources()


def test_what_springs_back_can_be_held_and_nothing_else():
    springs = {path for path, control in CONTROLS.items() if control.springs_back}
    for path in HELD:
        assert path in springs
    assert not {"deck1.play", "deck1.jump", "deck1.loop.active", "deck1.rate"} & springs

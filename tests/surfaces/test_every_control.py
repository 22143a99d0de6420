"""Every control that can be set, through the socket, OSC and MIDI: read back on the other two.

The MIDI controller is one on the network, so that no sound server is needed; its profile, with an
NRPN and a lamp for each control, is made from the desk. A control that is added to the desk is
tested by itself.
"""

import time

import pytest
from engine_process import show
from osc_client import Client, free_port
from rtp_controller import NetworkController, free_pair

from sfa_engine.desk import CONTROLS, DESK, Choice, Switch, Text
from sfa_engine.errors import Refused
from sfa_engine.surfaces.osc.address import address_of

pytestmark = pytest.mark.slow

NAME = "Every Control"
TIMEOUT_S = 5.0
# What cannot be set to any value at any time, and why.
NOT_HERE = {
    "browse.position": "there is no library",
    "browse.selected": "there is no library",
    "deck1.loop.active": "there is no loop",
    "deck2.loop.active": "there is no loop",
    "deck1.position": "its scale is longer than any track",
    "deck2.position": "its scale is longer than any track",
    "deck1.needle": "the deck moves it",
    "deck2.needle": "the deck moves it",
    "session.lock": "while it is on it refuses others",
    "session.focus": "moves the addresses of OSC and the layer of MIDI",
    "deck1.bpm": "follows from the rate, which is tested, and from the track",
    "deck2.bpm": "follows from the rate, which is tested, and from the track",
    "deck1.tempo_fader": "follows from rate and range",
    "deck2.tempo_fader": "follows from rate and range",
    **{
        path: "which may be set follows from the other deck's track"
        for path in CONTROLS
        if path.endswith(".source") and ".stem." in path
    },
    **{
        cue.kind.path: "is refused for a cue beyond the track's end, where the test puts it"
        for deck in DESK.deck.values()
        for cue in deck.hotcue.values()
    },
}
# Those of sync at the end: while they are on, the rate follows.
PATHS = sorted(
    (
        path
        for path, control in CONTROLS.items()
        if control.settable
        and not (control.planned or isinstance(control, Text))
        and path not in NOT_HERE
        # A profile has room for 512: of the pads, which are alike, the last one.
        and path.partition(".")[0] not in {f"pad{number}" for number in list(DESK.pad)[:-1]}
    ),
    key=lambda path: path.endswith(".sync"),
)
ENGINE_PATHS = [path for path in PATHS if CONTROLS[path].owner == "engine"]


def lamp_of(path):
    """Return the channel, from 0, and the number of a control's lamp."""
    return divmod(PATHS.index(path), 128)


def profile():
    """Return a profile with everything."""
    lines = ['name = "every-control"', f'title = "{NAME}"', "[match]", f'port = "^{NAME}$"']
    for number, path in enumerate(PATHS):
        channel, lamp = lamp_of(path)
        lines += [
            "[[control]]",
            f'name = "{number}"',
            f"nrpn = {number}",
            'encoding = "absolute"',
            'kind = "set"',
            'takeover = "jump"',
            f'do = "{path}"',
        ]
        if path in ENGINE_PATHS:
            lines.append(f'light = {{ send = "{0xB0 + channel:02X} {lamp:02X} {{value}}" }}')
    return "\n".join(lines)


@pytest.fixture(scope="module")
def engine(bundles):
    rtpmidi = free_pair()
    settings = (
        f"[rtpmidi]\nenabled = true\nport = {rtpmidi}\nzeroconf = false\n"
        f'[[route]]\nfrom = "midi:{NAME} cc 100 ch 16"\nto = "osc:/lamp 0..10"\n'
        f'[[route]]\nfrom = "osc:/lamp 0..10"\nto = "midi:{NAME} cc 100 ch 16"\n'
    )

    def write_profile(running):
        profiles = running.runtime / "data" / "sfa" / "profiles"
        profiles.mkdir(parents=True)
        (profiles / "every-control.toml").write_text(profile())

    options = ("--no-backstage",)
    with show({}, "none", settings, *options, osc=free_port(), prepare=write_profile) as running:
        running.rtpmidi = rtpmidi
        with running.connect() as client:
            for deck in (1, 2):
                client.call("deck.load", deck=deck, path=str(bundles[0]))
        yield running


class Surfaces:
    """The three ways to a control."""

    def __init__(self, socket, osc, midi):
        self.socket, self.osc, self.midi = socket, osc, midi

    def until(self, condition, timeout_s=TIMEOUT_S):
        """Return whether a condition comes true in time."""
        give_up = time.monotonic() + timeout_s
        while not condition():
            self.midi.pump()
            if time.monotonic() > give_up:
                return False
            time.sleep(0.001)
        return True

    def socket_travel(self, path):
        return travel(path, self.socket.call("get", path=path)["value"])

    def osc_travel(self, path):
        (value, *_) = self.osc.ask(address_of(path))
        return travel(path, value)

    def lamp(self, path):
        """Return the travel that a control's lamp was sent last; None without one."""
        channel, number = lamp_of(path)
        head = bytes((0xB0 + channel, number))
        sent = [each[2] for each in self.midi.heard if each[:2] == head]
        return sent[-1] / 127 if sent else None

    def lamp_shows(self, path, wanted):
        """Return what is wrong with a control's lamp, once it had time to change."""
        if path not in ENGINE_PATHS:
            return ""
        is_right = self.until(lambda: near(self.lamp(path), wanted, path, 1 / 127))
        return "" if is_right else f"MIDI: {self.lamp(path)}, not {wanted}"

    def send(self, path, travel_wanted):
        """Move a control's NRPN; return the travel that it stands for."""
        number, value = PATHS.index(path), round(travel_wanted * 16383)
        pairs = ((99, number >> 7), (98, number & 127), (6, value >> 7), (38, value & 127))
        self.midi.send(*(bytes((0xB0, each, data)) for each, data in pairs))
        return value / 16383


def travel(path, value):
    """Return the travel of a value as the wire has it."""
    control = CONTROLS[path]
    if isinstance(control, Choice) and isinstance(value, str):
        value = control.options.index(value)
    return 0.0 if value is None else control.scale.travel(float(value))


def wire(path, wanted):
    """Return a value near a travel as the wire has it, and its travel."""
    control = CONTROLS[path]
    value = control.scale.value(wanted)
    if isinstance(control, Switch):
        value = float(wanted >= 0.5)
    said = control.wire(value)
    return said, travel(path, said)


def near(found, wanted, path, step):
    """Return whether a travel is another to the resolution of its carrier."""
    scale = CONTROLS[path].scale
    if scale.whole or isinstance(CONTROLS[path], Switch | Choice):
        step += 0.51 / (scale.high - scale.low)
    return found is not None and abs(found - wanted) <= step


@pytest.fixture
def surfaces(engine):
    with (
        engine.connect() as socket,
        Client(engine.osc) as osc,
        NetworkController(NAME, engine.rtpmidi) as midi,
    ):
        for deck in (1, 2):
            socket.call("set", path=f"deck{deck}.sync", value="off")
            # a deck that has come to its end in an earlier test plays no more
            socket.call("set", path=f"deck{deck}.position", value=0.0, wait=True)
        made = Surfaces(socket, osc, midi)
        assert made.until(lambda: is_ready(socket), 20.0), socket.call("midi.ports")
        yield made


def is_ready(socket):
    ports = socket.call("midi.ports")["ports"]
    return any(port["open"] and port["profile"] == "every-control" for port in ports)


def failures(paths, check):
    """Return the controls for which a check says what is wrong."""
    return {path: wrong for path in paths if (wrong := check(path))}


def test_what_the_socket_sets_is_told_by_osc_and_midi(surfaces):
    def check(path):
        said, wanted = wire(path, 0.8)
        try:
            surfaces.socket.call("set", path=path, value=said)
        except Refused as error:
            return str(error)
        if not surfaces.until(lambda: near(surfaces.osc_travel(path), wanted, path, 1e-5)):
            return f"OSC: {surfaces.osc_travel(path)}, not {wanted}"
        return surfaces.lamp_shows(path, wanted)

    assert list(failures(PATHS, check).items()) == []


def test_what_osc_sets_is_told_by_the_socket_and_midi(surfaces):
    def check(path):
        said, wanted = wire(path, 0.3)
        surfaces.osc.send(address_of(path), said)
        if not surfaces.until(lambda: near(surfaces.socket_travel(path), wanted, path, 1e-5)):
            return f"socket: {surfaces.socket_travel(path)}, not {wanted}"
        return surfaces.lamp_shows(path, wanted)

    assert list(failures(PATHS, check).items()) == []


def test_what_midi_sets_is_told_by_the_socket_and_osc(surfaces):
    def check(path):
        wanted = surfaces.send(path, 0.6)
        if not surfaces.until(lambda: near(surfaces.socket_travel(path), wanted, path, 1e-4)):
            return f"socket: {surfaces.socket_travel(path)}, not {wanted}"
        if not near(surfaces.osc_travel(path), surfaces.socket_travel(path), path, 1e-5):
            return f"OSC: {surfaces.osc_travel(path)}"
        return ""

    assert list(failures(PATHS, check).items()) == []


def test_a_route_carries_what_is_no_control_both_ways_and_no_echo(surfaces):
    surfaces.osc.send("/sfa/subscribe")

    def lamps():
        surfaces.osc.read()
        return [given for address, given in surfaces.osc.told if address == "/lamp"]

    def is_told():
        surfaces.midi.send(b"\xbf\x64\x7f")
        return lamps()

    assert surfaces.until(is_told)
    assert lamps()[0] == [10.0]
    del surfaces.midi.heard[:], surfaces.osc.told[:]
    surfaces.osc.send("/lamp", 2.5)
    assert surfaces.until(lambda: b"\xbf\x64\x20" in surfaces.midi.heard)
    surfaces.midi.send(b"\xbf\x64\x20")  # as a controller does that shows what it is told
    assert not surfaces.until(lambda: [2.5] in lamps(), 0.3)
    assert not [each for each in surfaces.osc.told if each[0] == "/sfa/error"]

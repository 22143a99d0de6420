"""Every control that is set or pressed, learned by its verb on a real port, and then played.

As a performer does: learn CONTROL, move a fader, turn an encoder or press a pad, and use it. Then
socket and OSC say what it did, and so does the pad's lamp. Of controls that differ in their numbers
alone, as hot cues, one is learned, and all nightly. A control that is added to the desk is tested
by itself.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import rtmidi
from engine_process import show, until
from osc_client import Client, free_port

from sfa_engine.desk import CONTROLS, DESK, Button, Choice, Fader, Text
from sfa_engine.engine.intents import family
from sfa_engine.errors import Refused
from sfa_engine.surfaces.midi.lights import SHOWN_BY_BUTTONS
from sfa_engine.surfaces.osc.address import address_of
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET

pytestmark = [pytest.mark.realtime, pytest.mark.slow]

PORTS = 14  # controllers, each with as many controls as it has room for
TIMEOUT_S = 5.0
LAMPS = 1 << 16  # messages that a controller may be behind; rtmidi drops the newest beyond that
LEARNABLE = [
    path
    for path, control in CONTROLS.items()
    if not (control.planned or isinstance(control, Text))
    and (control.settable or isinstance(control, Button))
]
ONE_OF_EACH = set({family(path): path for path in LEARNABLE}.values())
# What is learned, but has nothing to do here, and why.
NOT_PLAYED = {
    "browse.position": "there is no library",
    "browse.selected": "there is no library",
    "deck.load_selected": "there is no library",
    "deck.position": "its scale is longer than any track",
    **dict.fromkeys(
        (f"deck.memory.{name}" for name in ("store", "previous", "next", "delete")),
        "its effects are in the library: see tests/stage/test_cues_live.py",
    ),
    **dict.fromkeys(
        (f"deck.grid.{name}" for name, _ in DESK.deck[1].grid.declared()),
        "its effects are in the library: see tests/stage/test_grid_edits_live.py",
    ),
    **dict.fromkeys(
        ("deck.brake", "deck.spinback", "deck.censor"),
        "the decks stand still: see tests/host/kernel/test_motion.py, test_slip.py",
    ),
    "deck.sync_bar": "no deck leads: see tests/host/kernel/test_bars.py",
    "preset.recall": "there is no preset: see tests/stage/test_presets_live.py",
    "pad.hit": "no pad has a sound: see tests/stage/test_pads_live.py",
    "pad.stop": "likewise",
    "pad.capture": "nothing was played: see tests/stage/test_pads_live.py",
    "sampler.stop": "likewise",
    "deck.key_match": "the tracks have no keys: see tests/stage/test_keys.py",
    "deck.bpm": "its scale is longer than the range of the rate",
    "stems_undo": "there is no change of stems",
    **{
        family(path): "which stems there are follows from the tracks on both decks"
        for path, control in CONTROLS.items()
        if control.verb.startswith("stem_")
    },
}
# What a button changes, if that is not what its lamp shows; and what must be so before.
CHANGES = {
    "deck.cue": "cue_point",
    "deck.jump": "position",
    "deck.loop.halve": "end",
    "deck.loop.double": "end",
    "deck.loop.move": "start",
    "deck.loop.in_adjust": "start",
    "deck.loop.out_adjust": "end",
    "deck.loop.roll": "active",
    "clock.align": "beat",
    "clock.tap": "tempo",
}
PREPARED = {
    "deck.hotcue.press": {"position": None},
    "deck.hotcue.store": {"position": None},
    "deck.hotcue.clear": {"position": 3.0},
    "deck.loop.set_in": {"start": None},
    "deck.loop.set_out": {"start": 4.0, "end": None},
    "deck.loop.active": {"start": 4.0, "end": 8.0},
    "deck.loop.reloop": {"start": 4.0, "end": 8.0},
    "deck.loop.halve": {"start": 4.0, "end": 8.0},
    "deck.loop.double": {"start": 4.0, "end": 8.0},
    "deck.loop.move": {"start": 4.0, "end": 8.0},
    "deck.loop.in_adjust": {"start": 4.0, "end": 8.0},
    "deck.loop.out_adjust": {"start": 4.0, "end": 8.0},
    "deck.loop.roll": {"active": False},
}


class Controller:
    """A controller with faders, encoders and pads, on two ports of JACK that are one device."""

    def __init__(self, number):
        self.name = f"Desk {number}"
        self.out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, f"{self.name} out")
        self.out.open_virtual_port("midi")
        # A device is sent all its lamps when any table changes: those of a hundred lessons.
        self.lamps = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, f"{self.name} in", queue_size_limit=LAMPS)
        self.lamps.open_virtual_port("midi")
        self.lit = {}  # value of a note's lamp
        self.sent = 0

    def send(self, *messages):
        for message in messages:
            self.out.send_message(bytes(message))
        self.sent += len(messages)

    def lost(self):
        """Return how many messages never came: JACK loses those of a cycle that was too late."""
        return self.sent - int(self.record["received"])

    def lamp(self, note):
        while (got := self.lamps.get_message()) is not None:
            if got[0][0] == 0x99:  # MIDI clock is learned and played, too: start and stop
                _, number, level = got[0]
                self.lit[number] = level
        return self.lit.get(note)

    def pull_out(self):
        for port in (self.out, self.lamps):
            port.close_port()
            port.delete()


class Cc:
    """A fader of 7 bits."""

    top = 127
    moves = (20, 50, 80, 110)  # while it is learned

    def __init__(self, number):
        self.number = 64 + number

    def at(self, value):
        return [(0xB0, self.number, value)]


class Pair(Cc):
    """A fader of 14 bits in two halves."""

    top = 16383
    moves = (1000, 9000)

    def __init__(self, number):
        self.number = number + (number >= 6)  # 6 and 38 are data entry

    def at(self, value):
        return [(0xB0, self.number, value >> 7), (0xB0, self.number + 32, value & 127)]


class Nrpn(Pair):
    """A fader that sends an NRPN."""

    def __init__(self, number):
        self.number = number

    def at(self, value):
        sent = ((99, 0), (98, self.number), (6, value >> 7), (38, value & 127))
        return [(0xB0, *each) for each in sent]


class Encoder(Cc):
    """An endless knob."""

    moves = (1, 1, 127, 127)


@pytest.fixture(scope="module")
def engine(jack, bundles):
    with (
        pytest.MonkeyPatch.context() as patch,
        show(jack.environment, "default", osc=free_port()) as running,
    ):
        for name, value in jack.environment.items():
            patch.setenv(name, value)
        until((running.runtime / BACKSTAGE_SOCKET).exists, "backstage")
        with running.connect() as socket:
            for deck in (1, 2):
                socket.call("deck.load", deck=deck, path=str(bundles[0]))
                socket.call("set", path=f"deck{deck}.quantise", value=False)
        yield running


@pytest.fixture(scope="module")
def controllers(engine):
    made = [Controller(number) for number in range(PORTS)]
    with engine.connect() as socket:

        def are_open():
            return sum(port["open"] for port in socket.call("midi.ports")["ports"]) == PORTS

        until(are_open, "the controllers")
        slots = {port["name"]: port["slot"] for port in socket.call("midi.ports")["ports"]}
    memory = engine.memory()
    for each in made:
        each.record = memory.engine["midi"]["slots"][slots[f"{each.name} midi"]]
    yield made
    for each in made:
        each.pull_out()


class Performer:
    """Learns controls and plays them."""

    def __init__(self, socket, osc, learner, pool):
        self.socket, self.osc, self._learner, self._pool = socket, osc, learner, pool

    def learn(self, path, controller, messages):
        """Have a control learned from messages, as by ``sfa midi learn``."""
        until(lambda: not controller.record["monitored"], "the end of the lesson before")
        learned = self._pool.submit(self._learner.call, "midi.learn", path=path, timeout_s=10)
        until(lambda: controller.record["monitored"] or learned.done(), "the lesson")
        controller.send(*messages)
        said = learned.result()
        assert said["saved"], said["why"]
        return said

    def number(self, path):
        """Return the number that a control has by the socket, once OSC says the same."""
        value = self.socket.call("get", path=path)["value"]
        (told, *_) = self.osc.ask(address_of(path))
        found = [number_of(path, each) for each in (value, told)]
        return found[0] if abs(found[0] - found[1]) <= 1e-5 * max(1.0, abs(found[0])) else None

    def until(self, condition):
        give_up = time.monotonic() + TIMEOUT_S
        while not condition():
            if time.monotonic() > give_up:
                return False
            time.sleep(0.001)
        return True

    def prepare(self, path):
        """Bring about what a press needs."""
        deck = path.partition(".")[0]
        if deck.startswith("deck"):
            self.socket.call("set", path=f"{deck}.position", value=12.5, wait=True)
        for name, value in PREPARED.get(family(path), {}).items():
            self.socket.call("set", path=beside(path, name), value=value, wait=True)

    # ------------------------------------------------------------------ each kind

    def fader(self, path, controller, number):
        """Learn a fader and move it over its whole way; return what is wrong."""
        fader = (Cc, Pair, Nrpn)[number % 3](number)
        self.learn(path, controller, [m for value in fader.moves for m in fader.at(value)])
        if family(path) in NOT_PLAYED:
            return ""
        value = round(0.6 * fader.top)
        for place in (0, fader.top, value):  # it takes over where it passes the value
            controller.send(*fader.at(place))
        control, wanted = CONTROLS[path], value / fader.top
        step = 1e-4
        if control.scale.whole:
            step += 0.51 / (control.scale.high - control.scale.low)

        def is_there():
            found = self.number(path)
            return found is not None and abs(control.scale.travel(found) - wanted) <= step

        return "" if self.until(is_there) else f"{self.number(path)}, not at travel {wanted}"

    def pad(self, path, controller, number):
        """Learn a pad and press it; return what is wrong."""
        press, release = (0x99, number, 100), (0x89, number, 0)
        self.learn(path, controller, [press, release])
        if family(path) in NOT_PLAYED:
            return ""
        self.prepare(path)
        changes = changed_by(path)
        before = self.number(changes)
        control = CONTROLS[path]
        is_momentary = getattr(control, "momentary", False)
        for _ in range(4 if family(path) == "clock.tap" else 1):
            controller.send(press) if is_momentary else controller.send(press, release)
            time.sleep(0.25 if family(path) == "clock.tap" else 0)
        wrong = ""
        if not self.until(lambda: self.number(changes) not in {before, None}):
            wrong = f"{changes} is {before} as before"
        elif not self.until(lambda: controller.lamp(number) == self.level(path)):
            wrong = f"the lamp has {controller.lamp(number)}, not {self.level(path)}"
        controller.send(release)
        return wrong

    def encoder(self, path, controller, number):
        """Learn an encoder and turn it; return what is wrong."""
        encoder = Encoder(number)
        self.learn(path, controller, [m for value in encoder.moves for m in encoder.at(value)])
        if family(path) in NOT_PLAYED:
            return ""
        self.prepare(path)
        changes = changed_by(path)
        before = self.number(changes)
        controller.send(*encoder.at(1))
        is_done = self.until(lambda: self.number(changes) not in {before, None})
        return "" if is_done else f"{changes} is {before} as before"

    def level(self, path):
        """Return what the lamp of a learned pad should have; None where it gets none."""
        name = SHOWN_BY_BUTTONS.get(family(path))
        if isinstance(CONTROLS[path], Button) and name is None:
            return None
        shown = beside(path, name) if name else path
        value = self.socket.call("get", path=shown)["value"]
        if CONTROLS[shown].scale.optional:
            return 127 * (value is not None)
        return 127 * (number_of(shown, value) > 0.5)

    def play(self, path, controller, number):
        """Learn a control and play it; return what is wrong."""
        control = CONTROLS[path]
        value = self.socket.call("get", path=path)["value"] if control.settable else None
        if isinstance(control, Fader):
            wrong = self.fader(path, controller, number)
        elif isinstance(control, Button) and control.scale.low < 0 < control.scale.high:
            wrong = self.encoder(path, controller, number)
        else:
            wrong = self.pad(path, controller, number)
        if control.settable:
            with suppress(Refused):
                self.socket.call("set", path=path, value=value)
        return wrong

    def tried(self, path, controller, number):
        """Learn a control and play it; return what is wrong, or why it is refused."""
        try:
            return self.play(path, controller, number)
        except Refused as error:
            return str(error)


def beside(path, name):
    """Return the path of another control of the same part of the desk."""
    return f"{path.rpartition('.')[0]}.{name}"


def changed_by(path):
    """Return the path of what changes when a control is pressed."""
    name = CHANGES.get(family(path)) or SHOWN_BY_BUTTONS.get(family(path))
    return beside(path, name) if name else path


def number_of(path, value):
    """Return a value as the wire has it as a number; -1 of one that is not set."""
    control = CONTROLS[path]
    if isinstance(control, Choice) and isinstance(value, str):
        value = control.options.index(value)
    return -1.0 if value is None else float(value)


@pytest.fixture(scope="module")
def performer(engine):
    with (
        engine.connect() as socket,
        engine.connect() as learner,
        Client(engine.osc) as osc,
        ThreadPoolExecutor(1) as pool,
    ):
        yield Performer(socket, osc, learner, pool)


def failures(paths, performer, controllers):
    """Return the controls that did not do what they should, and how."""
    found = {}
    for place, path in enumerate(sorted(paths, key=lambda path: (path.endswith(".sync"), path))):
        number, at = divmod(place, len(controllers))
        lost = controllers[at].lost()
        wrong = performer.tried(path, controllers[at], number)
        if wrong and controllers[at].lost() > lost:
            wrong = performer.tried(path, controllers[at], number)
        if wrong:
            found[path] = wrong
    return found


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_every_control_that_is_learned_plays(performer, controllers):
    assert failures(ONE_OF_EACH, performer, controllers) == {}


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_every_control_of_a_kind_that_is_learned_plays(performer, controllers):
    assert failures(set(LEARNABLE) - ONE_OF_EACH, performer, controllers) == {}

"""Routes between MIDI, OSC and the desk."""

import contextlib
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.run.config import load_config
from sfa_engine.stage.raw_bus import Named, RawBus, fits
from sfa_engine.surfaces.bridge.codec import messages_for
from sfa_engine.surfaces.bridge.endpoint import NUMBERED, Desk, Midi, Osc, parse_end
from sfa_engine.surfaces.bridge.loop_guard import MAX_KEYS, MAX_PER_S, LoopGuard
from sfa_engine.surfaces.bridge.routes import Routes, parse_route

CC7 = b"\xb0\x07\x40"
PATHS = ("deck1.fader", "crossfader", "focus.stem.vocals.volume", "deck2.eq.low.gain")
words = st.text("abcXYZ09-_()+.", min_size=1, max_size=8)
devices = st.lists(words, min_size=1, max_size=3).map(" ".join)
numbers = st.integers(-9999, 9999).map(float)
channels = st.integers(0, 16)
midi_ends = st.one_of(
    st.builds(Midi, devices, st.just("cc"), st.integers(0, 127), channels),
    st.builds(Midi, devices, st.just("cc14"), st.integers(0, 31), channels),
    st.builds(Midi, devices, st.just("note"), st.integers(0, 127), channels),
    st.builds(
        Midi, devices, st.sampled_from(["bend", "pressure", "program"]), st.just(0), channels
    ),
)
addresses = st.lists(words, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
osc_ends = st.builds(
    lambda peer, address, ends: Osc(peer, address, *ends),
    st.sampled_from(["*", "tablet", "192.168.1.5:9000"]),
    addresses,
    st.tuples(numbers, numbers).filter(lambda ends: ends[0] != ends[1]),
)
desk_ends = st.builds(Desk, st.sampled_from(PATHS), st.booleans())


class Rig:
    """Routes on a bus, with the surfaces' ends in hand and time that stands."""

    def __init__(self, *pairs):
        self.now, self.bus, self.out = 100.0, RawBus(), []
        self.routes = Routes(
            [parse_route(*pair) for pair in pairs], self.bus.send, lambda: self.now
        )
        self.bus.set_router(self.routes.take, self.routes.kinds)
        for kind in ("midi", "osc", "control"):
            self.bus.listen(
                kind, lambda target, message, k=kind: self.out.append((k, target, message))
            )

    def midi(self, message, origin="nano MIDI 1"):
        return self.put("midi", origin, message)

    def osc(self, address, *arguments, origin="10.0.0.2:9000"):
        return self.put("osc", origin, Named(address, arguments))

    def put(self, kind, origin, message):
        self.out.clear()
        self.bus.publish(kind, origin, message)
        return list(self.out)


@given(midi_ends | osc_ends | desk_ends)
@settings(max_examples=60)
def test_ends_are_parsed_as_they_are_written(end):
    assert parse_end(str(end)) == end


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "midi:, osc: or control:"),
        ("dmx:1", "midi:, osc: or control:"),
        ("midi:nano", "midi:DEVICE"),
        ("midi:nano cc", "a number"),
        ("midi:nano cc 128", "0 to 127"),
        ("midi:nano cc14 32", "0 to 31"),
        ("midi:nano bend 3", "no number"),
        ("midi:nano cc 7 ch 17", "1 to 16"),
        ("midi:nano cc 7 ch 0", "1 to 16"),
        ("midi:nano knob 7", "not a MIDI message"),
        ("osc:fader", "osc:/address"),
        ("osc:/", "osc:/address"),
        ("osc:/a*", "osc:/address"),
        ("osc:/a 1..1", "0..127"),
        ("osc:/a nan..1", "0..127"),
        ("control:deck1.volum", "deck1"),
        ("control:deck1.level", "no value to set"),
        ("control:focus.faderr", "fader"),
        ("control:", "deck1.fader"),
        ("midi:" + "x" * 1000 + " cc 7", "too long"),
        ("midi:na\nno cc 7", "do not print"),
    ],
)
def test_what_is_wrong_with_an_end_is_said(text, said):
    with pytest.raises(Refused) as error:
        parse_end(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        ("osc:/a", "osc:/a", "leads to itself"),
        ("midi:a all", "osc:/a", "`all`"),
        ("midi:a cc 7", "control:deck1.fader unit", "`unit`"),
    ],
)
def test_ends_that_do_not_go_together_are_refused(begin, end, said):
    with pytest.raises(Refused, match=said):
        parse_route(begin, end)


def fuzz(count, seed):
    rng = random.Random(seed)
    parts = [
        "midi:",
        "osc:",
        "control:",
        "cc",
        "cc14",
        "note",
        " ",
        "ch",
        "7",
        "/",
        "..",
        "unit",
        "deck1",
    ]
    parts += ["focus.", "fader", "x", "all", "\0", "é", "-", "99999999999", "*", "[", "127", "1"]
    for _ in range(count):
        text = "".join(rng.choice(parts) for _ in range(rng.randrange(12)))
        with contextlib.suppress(Refused):
            end = parse_end(text)
            assert parse_end(str(end)) == end


def test_any_text_is_an_end_or_refused():
    fuzz(3000, 1)


@pytest.mark.nightly
def test_a_hundred_thousand_texts_are_ends_or_refused():
    fuzz(100_000, 2)


@given(midi_ends, st.floats(0, 1))
@settings(max_examples=60)
def test_a_travel_survives_the_way_to_midi_and_back(end, travel):
    rig = Rig((str(end), "osc:/x"))
    came = []
    for _ in range(2):  # of a pair, the second time its halves are known to be one
        for message in messages_for(end, travel):
            came += rig.midi(message, end.device)
    ((value,),) = {each[2].arguments for each in came[-1:]}
    step = end.step if end.kind != "note" else 1 / 126
    assert abs(value - travel) <= step


def test_a_controller_moves_an_osc_address_and_back():
    rig = Rig(("midi:nano cc 7 ch 1", "osc:/f 0..10"), ("osc:/f 0..10", "midi:nano cc 7 ch 1"))
    ((kind, target, message),) = rig.midi(CC7)
    assert (kind, target, message.address) == ("osc", "*", "/f")
    assert math.isclose(message.arguments[0], 640 / 127)
    assert rig.osc("/f", 10) == [("midi", "nano", b"\xb0\x07\x7f")]


def test_only_what_the_route_names_is_carried():
    rig = Rig(("midi:nano cc 7 ch 2", "osc:/x"), ("osc:10.0.0.2/y", "midi:nano note 36 ch 10"))
    assert [rig.midi(each) for each in (CC7, b"\xb1\x08\x40", b"\x90\x07\x40", b"\xf8", b"")] == [
        []
    ] * 5
    assert rig.midi(b"\xb1\x07\x40", origin="other") == []
    assert len(rig.midi(b"\xb1\x07\x40")) == 1
    assert rig.osc("/y", 1.0, origin="10.0.0.3:9000") == []
    assert rig.osc("/y", 1.0) == [("midi", "nano", b"\x99\x24\x7f")]
    rig.now += 1
    assert rig.osc("/y", 0) == [("midi", "nano", b"\x89\x24\x00")]


def test_without_a_channel_every_channel_is_meant():
    rig = Rig(("midi:* cc 7", "osc:/x"))
    assert [len(rig.midi(bytes((0xB0 + channel, 7, 1)))) for channel in range(16)] == [1] * 16


@pytest.mark.parametrize("argument", [math.nan, math.inf, -math.inf, "loud", None, b"x", 10**400])
def test_what_is_not_a_number_goes_nowhere(argument):
    assert Rig(("osc:/x", "midi:nano cc 7")).osc("/x", argument) == []


def test_a_trigger_without_an_argument_is_full():
    assert Rig(("osc:/x", "midi:nano cc 7")).osc("/x") == [("midi", "nano", b"\xb0\x07\x7f")]


def test_values_beyond_the_range_are_brought_in():
    rig = Rig(("osc:/x 1..0", "midi:nano cc 7"))
    assert [rig.osc("/x", x)[0][2][2] for x in (-5, 0, 1, 9)] == [127, 127, 0, 0]


def test_all_passes_everything_as_it_is():
    rig = Rig(("midi:a all", "midi:b all"))
    for message in (CC7, b"\xf8", b"\xf0\x01\xf7", b"\xc0\x05"):
        assert rig.midi(message, "a") == [("midi", "b", message)]
    assert rig.midi(CC7, "b") == []


def test_the_echo_of_what_a_route_sent_is_not_sent_back():
    rig = Rig(("midi:nano cc 7 ch 1", "osc:/x"), ("osc:/x", "midi:nano cc 7 ch 1"))
    ((_, _, sent),) = rig.midi(CC7)
    assert rig.osc("/x", *sent.arguments) == []
    assert rig.osc("/x", 0.25) == [("midi", "nano", b"\xb0\x07\x20")]  # another value: a hand
    assert rig.midi(b"\xb0\x07\x20") == []
    assert rig.routes.guard.echoes == 2


def test_an_echo_is_taken_away_once_and_in_time():
    rig = Rig(("midi:nano cc 7 ch 1", "osc:/x"), ("osc:/x", "midi:nano cc 7 ch 1"))
    ((_, _, sent),) = rig.midi(CC7)
    assert rig.osc("/x", *sent.arguments) == []
    assert len(rig.osc("/x", *sent.arguments)) == 1  # a hand, after the echo
    ((_, _, sent),) = rig.midi(b"\xb0\x07\x10")
    rig.now += 0.2
    assert len(rig.osc("/x", *sent.arguments)) == 1


def test_a_loop_over_three_devices_ends():
    rig = Rig(
        ("midi:a cc 7 ch 1", "midi:b cc 7 ch 1"),
        ("midi:b cc 7 ch 1", "midi:c cc 7 ch 1"),
        ("midi:c cc 7 ch 1", "midi:a cc 7 ch 1"),
    )
    waiting, hops = [("a", CC7)], 0
    while waiting:  # every device sends back what it gets
        origin, message = waiting.pop()
        waiting += [(target, each) for _, target, each in rig.midi(message, origin)]
        hops += 1
        assert hops < 10
    assert hops == 2  # a -> b, and the echo of b


def test_a_loop_that_changes_the_value_is_cut_at_its_pace(caplog):
    rig = Rig(("midi:a cc 7 ch 1", "midi:b cc 7 ch 1"), ("midi:b cc 7 ch 1", "midi:a cc 7 ch 1"))
    passed, value, side = 0, 0, "a"
    for _ in range(2 * MAX_PER_S + 2):
        sent = rig.midi(bytes((0xB0, 7, value)), side)
        passed += len(sent)
        value, side = (value + 5) % 128, "b" if side == "a" else "a"
    assert passed <= 2 * MAX_PER_S
    assert caplog.text.count("a loop?") == 2
    rig.now += 1
    assert len(rig.midi(CC7, "a")) == 1


def test_a_change_of_the_desk_does_not_return_to_where_it_came_from():
    rig = Rig(
        ("midi:a cc 7 ch 1", "control:crossfader"),
        ("control:crossfader", "midi:a cc 7 ch 1"),
        ("control:crossfader", "midi:b cc 7 ch 1"),
        ("control:crossfader unit", "osc:/crossfader"),
    )
    ((kind, origin, message),) = rig.midi(b"\xb0\x07\x7f", "a")
    assert (kind, origin, message) == ("control", "midi:a", Named("crossfader", (1.0, None)))
    assert rig.put("control", origin, Named("crossfader", (1.0, 100.0))) == [
        ("midi", "b", b"\xb0\x07\x7f"),
        ("osc", "*", Named("/crossfader", (100.0,))),
    ]


def test_without_routes_a_message_costs_a_look_up():
    bus = RawBus()
    assert not bus.is_routed("midi")
    bus.publish("midi", "a", CC7)


@pytest.mark.parametrize(
    ("target", "is_meant"),
    [
        ("nano", True),
        ("NANO", True),
        ("*", True),
        ("nano*1", True),
        ("nano*2", False),
        ("pad", False),
    ],
)
def test_devices_are_named_by_a_part_or_a_pattern(target, is_meant):
    assert fits("nanoKONTROL2 MIDI 1", target) is is_meant


def configured(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load_config(path)


def test_routes_of_the_configuration(tmp_path):
    config = configured(
        tmp_path,
        '[[route]]\nfrom = "midi:nano cc 7 ch 1"\nto = "osc:/stem/1/volume"\n'
        "[bridge]\nupstream = true\n"
        '[rtpmidi]\nenabled = true\nconnect = ["studio:5006"]\nallow = ["own", "10.0.0.0/8"]\n',
    )
    assert [(each.begin, each.end) for each in config.route] == [
        ("midi:nano cc 7 ch 1", "osc:/stem/1/volume")
    ]
    assert config.bridge.upstream
    assert (config.rtpmidi.enabled, config.rtpmidi.connect) == (True, ("studio:5006",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("route = 3", "list of tables"),
        ("route = [3]", "route 1 is not a table"),
        ('[[route]]\nfrom = "osc:/x"', "to is not a text"),
        ('[[route]]\nfrom = "osc:/x"\nto = "osc:/y"\nvia = "z"', 'no key "via"'),
        ('[[route]]\nfrom = "osc:/x"\nto = "dmx:/y"', "midi:, osc: or control:"),
        ("[rtpmidi]\nport = 65535", "rtpmidi.port"),
        ("[rtpmidi]\nenabled = 1", "true or false"),
        ("[rtpmidi]\nconnect = [5]", "a list of texts"),
    ],
)
def test_what_is_wrong_with_the_configuration_is_said(tmp_path, text, said):
    with pytest.raises(Refused) as error:
        configured(tmp_path, text)
    assert said in str(error.value)
    assert "config.toml" in str(error.value)


assert set(NUMBERED) == {"cc", "cc14", "note"}


@pytest.mark.parametrize("address", ["/deck1/fader", "/n/deck1/fader", "/deck1/cue"])
def test_a_route_does_not_begin_at_an_address_that_sets_a_control(address):
    """The OSC surface hands such messages on to the desk alone."""
    with pytest.raises(Refused, match=r"is not routed; begin it at control:deck1\."):
        parse_route(f"osc:{address}", "midi:a cc 7")
    parse_route("midi:a cc 7", f"osc:{address}")


def test_messages_that_are_never_the_same_take_no_memory():
    guard = LoopGuard()
    for number in range(3 * MAX_KEYS):
        guard.sent(number.to_bytes(4, "big"), "a", 0.0, 0.0, number / 1000)
    assert len(guard._sent) <= MAX_KEYS
    last = (3 * MAX_KEYS - 1).to_bytes(4, "big")
    assert guard.is_echo(last, "a", 0.0, 3 * MAX_KEYS / 1000)

"""What a controller sends, read from a few messages; and devices from the ports there are."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.engine.midi import MAX_SYSEX, SLOTS, Encoding, Kind
from sfa_engine.surfaces.midi.device import Device, Slots, devices_of
from sfa_engine.surfaces.midi.message import (
    Message,
    SysexJoin,
    hex_text,
    is_identity_reply,
    model_of,
    parse,
    words,
)
from sfa_engine.surfaces.midi.recognise import Learned, Recogniser

APART_S = 0.01


def recognised(messages, *, wants_button=False, after_s=0.0):
    """Return what is recognised as soon as it is, and how many messages that took."""
    recogniser = Recogniser(wants_button=wants_button)
    at_s = 100.0
    for number, message in enumerate(messages, 1):
        recogniser.take(parse(bytes(message)), at_s)
        if found := recogniser.result(at_s):
            return found, number
        at_s += APART_S
    return recogniser.result(at_s + after_s), len(messages)


def cc(number, values, channel=0):
    return [(0xB0 | channel, number, value) for value in values]


def test_a_note_is_a_button_at_once_where_a_button_is_wanted():
    found, count = recognised([(0x99, 36, 100)], wants_button=True)
    assert (found, count) == (Learned(Kind.NOTE, 9, 36, Encoding.BUTTON), 1)


def test_the_touch_of_a_fader_is_not_taken_for_the_fader():
    found, _ = recognised([(0x90, 104, 127), *cc(7, range(60, 66))])
    assert found == Learned(Kind.CONTROL, 0, 7, Encoding.ABSOLUTE)


def test_a_pad_with_pressure_is_its_note():
    messages = [(0x90, 36, 90), (0xD0, 30), (0xD0, 60), (0xD0, 20), (0x80, 36, 0)]
    assert recognised(messages, after_s=1.0)[0].kind is Kind.NOTE
    assert recognised(messages, wants_button=True)[0].kind is Kind.NOTE


def test_a_release_of_what_was_held_before_is_not_learned():
    recogniser = Recogniser(wants_button=True)
    recogniser.take(Message(Kind.NOTE, 0, 5, 0), 1.0)
    assert recogniser.is_empty


@pytest.mark.parametrize("first", [0, 1])
def test_the_halves_of_a_pair_come_in_either_order(first):
    halves = [[(0xB0, 7, v), (0xB0, 39, v * 9 % 128)] for v in range(60, 66)]
    found, _ = recognised([half for pair in halves for half in (pair if first else pair[::-1])])
    assert found == Learned(Kind.CONTROL, 0, 7, Encoding.MSB, 39)


def test_a_fader_near_the_middle_is_no_relative_control():
    assert recognised(cc(7, range(60, 70)))[0].encoding is Encoding.ABSOLUTE
    assert recognised(cc(7, range(10, 0, -1)))[0].encoding is Encoding.ABSOLUTE


@pytest.mark.parametrize(
    ("up", "down", "encoding"),
    [
        (1, 127, Encoding.TWOS_COMPLEMENT),
        (65, 63, Encoding.OFFSET_64),
        (1, 65, Encoding.SIGN_BIT),
    ],
)
def test_a_relative_control_is_known_when_it_went_both_ways(up, down, encoding):
    for values in ([up] * 3 + [down] * 3, [down] * 3 + [up] * 3):
        assert recognised(cc(22, values))[0].encoding is encoding


def test_one_that_only_went_one_way_is_taken_for_the_usual_kind_after_a_while():
    assert recognised(cc(22, [1] * 5)) == (None, 5)
    assert recognised(cc(22, [1] * 5), after_s=5)[0].encoding is Encoding.TWOS_COMPLEMENT
    assert recognised(cc(22, [65] * 5), after_s=5)[0].encoding is Encoding.OFFSET_64


def test_a_single_step_is_not_enough():
    assert recognised(cc(22, [1]), after_s=9)[0] is None


def test_a_control_change_of_127_and_0_is_a_button():
    assert recognised(cc(41, [127, 0]))[0].encoding is Encoding.BUTTON
    assert recognised(cc(41, [127]), wants_button=True, after_s=1)[0].encoding is Encoding.BUTTON
    assert recognised(cc(41, [127]), after_s=1)[0] is None  # a knob's step down, perhaps


def test_an_nrpn_is_known_by_its_number():
    messages = [*cc(99, [2]), *cc(98, [5]), *cc(6, [60])]
    assert recognised(messages)[0] == Learned(Kind.NRPN, 0, 261, Encoding.ABSOLUTE)
    assert recognised(messages[:2], after_s=9)[0] is None


def test_of_several_controls_the_one_that_moved_most_is_taken():
    messages = cc(7, [3, 4]) + cc(9, range(50, 60))
    assert recognised(messages)[0].number in {7, 9}
    assert recognised(cc(9, range(50, 53)) + cc(7, [3]) + cc(9, [53]))[0].number == 9


@given(st.lists(st.binary(min_size=1, max_size=4), max_size=60), st.booleans())
def test_no_messages_make_it_fail(messages, wants_button):
    recogniser = Recogniser(wants_button=wants_button)
    for number, data in enumerate(messages):
        assert isinstance(words(data) + hex_text(data), str)
        if message := parse(data):
            recogniser.take(message, number / 100)
            recogniser.result(number / 100)
    found = recogniser.result(1e9)
    assert found is None or isinstance(found.words() + recogniser.hint, str)


def test_what_is_not_a_channel_message_is_none():
    for data in (b"", b"\x90", b"\x90\x01", b"\x90\x80\x01", b"\xf8", b"\x01\x02\x03", b"\x90" * 9):
        assert parse(data) is None


def joined(parts):
    join = SysexJoin()
    return [whole for part in parts if (whole := join.take(part)) is not None], join.dropped


def test_sysex_is_joined_and_clock_in_between_passes():
    whole = bytes([0xF0, *range(120), 0xF7])
    parts = [whole[:50], b"\xf8", whole[50:100], b"\xfe", whole[100:]]
    assert joined(parts) == ([b"\xf8", b"\xfe", whole], 0)
    assert joined([whole]) == ([whole], 0)


def test_sysex_without_an_end_or_too_long_is_dropped_and_counted():
    assert joined([b"\xf0\x01", b"\x90\x01\x02"]) == ([b"\x90\x01\x02"], 1)
    assert joined([b"\xf0\x01", b"\xf0\x02\xf7"]) == ([b"\xf0\x02\xf7"], 1)
    parts = [b"\xf0", *[bytes(256)] * (MAX_SYSEX // 256 + 1), b"\xf7", b"\xf0\x01\xf7"]
    assert joined(parts) == ([b"\xf0\x01\xf7"], 1)
    most = bytes([0xF0]) + bytes(MAX_SYSEX - 2) + b"\xf7"
    assert joined([most[k : k + 256] for k in range(0, len(most), 256)]) == ([most], 0)


@given(st.lists(st.binary(max_size=40), max_size=50))
def test_sysex_of_any_bytes_never_grows_without_end(parts):
    join = SysexJoin()
    for part in parts:
        join.take(part)
    assert len(join._begun) <= MAX_SYSEX


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_random_parts_are_messages_or_dropped(count):
    rng, join = random.Random(6), SysexJoin()
    for _ in range(count):
        part = bytearray(rng.randbytes(rng.randrange(12)))
        if part and rng.random() < 0.7:
            part = bytearray(byte & 0x7F for byte in part)
            part[0] = rng.choice((0xF0, 0x00, 0x90, 0xF8))
            part[-1] = rng.choice((0xF7, part[-1]))
        whole = join.take(bytes(part))
        assert len(join._begun) <= MAX_SYSEX
        if whole is not None:
            assert parse(whole) is None or words(whole)
            assert hex_text(whole)
            is_identity_reply(whole)
            assert model_of(whole) in {None, *range(128)}


# ---------------------------------------------------------------------- devices


def port(number, name, device, direction):
    return {"id": str(number), "name": name, "device": device, "direction": direction}


def both(name, device, number=0):
    return [port(f"i{number}", name, device, "in"), port(f"o{number}", name, device, "out")]


@pytest.mark.parametrize(
    ("source", "sink", "name"),
    [
        # JACK's own bridge, a2j, ALSA; names are padded by some.
        (("midi/capture_1", "nanoKONTROL2"), ("midi/playback_1", "nanoKONTROL2"), "nanoKONTROL2 1"),
        (
            ("LPD8 [20] (capture): LPD8 MIDI 1", "LPD8 [20] (capture)"),
            ("LPD8 [20] (playback): LPD8 MIDI 1", "LPD8 [20] (playback)"),
            "LPD8 MIDI 1",
        ),
        (("LPD8 MIDI 1 20:0 ", "LPD8"), ("LPD8 MIDI 1 20:0", "LPD8"), "LPD8 MIDI 1"),
        (("out", "VMPK"), ("in", "VMPK"), "VMPK"),
        (("keys", "Probe"), ("lamps", "Probe"), "Probe keys"),
    ],
)
def test_the_ports_of_a_device_are_a_pair_with_a_name_that_stays(source, sink, name):
    ports = [port("i", *source, "in"), port("o", *sink, "out")]
    (device,) = devices_of(ports)
    assert (device.name, device.source, device.sink) == (name, "i", "o")


def test_the_ports_of_one_device_are_paired_by_name():
    ports = [
        port(1, "MPC Public", "MPC", "in"),
        port(2, "MPC Private", "MPC", "in"),
        port(3, "MPC Private", "MPC", "out"),
        port(4, "MPC Public", "MPC", "out"),
        port(5, "MPC Other", "MPC", "out"),
    ]
    pairs = {(d.name, d.source, d.sink) for d in devices_of(ports)}
    assert pairs == {("MPC Public", "1", "4"), ("MPC Private", "2", "3"), ("MPC Other", "", "5")}


def test_ports_that_are_ignored_are_left_alone():
    ports = both("Midi Through Port-0", "Midi Through", 1) + both("Keys", "Keys", 2)
    assert [d.name for d in devices_of(ports, ["^midi through"])] == ["Keys"]


def test_devices_of_one_name_are_told_apart_and_keep_their_slots():
    slots = Slots()
    one, two = (Device("Pad", "Pad", f"i{n}", f"o{n}") for n in (1, 2))
    assert slots.plug([one, two]) == [0, 1]
    assert [slots.title(0), slots.title(1)] == ["Pad #1", "Pad #2"]
    assert slots.unplug([two]) == [0]
    assert slots.title(1) == "Pad"
    again = Device("Pad", "Pad", "i3", "o3")
    assert slots.plug([two, again]) == [0]
    later = Slots(slots.remembered)  # in another order, after the machine was off
    assert sorted(later.plug([again, two])) == [0, 1]
    assert later.devices[1] == two


def test_a_device_gets_its_second_port_in_the_slot_that_it_has():
    slots = Slots()
    slots.plug([Device("Other", "", "i1", "o1")])
    for late in (Device("Pad", "Pad", "i2", ""), Device("Pad", "Pad", "", "o2")):
        whole = Device("Pad", "Pad", "i2", "o2")
        assert slots.plug([late]) == [1]
        assert slots.unplug([slots.devices[0], whole]) == [1]
        assert slots.plug([slots.devices[0], whole]) == [1]
        assert slots.devices[1] == whole
        slots.unplug([slots.devices[0]])


def test_a_slot_is_given_away_only_when_all_are_remembered():
    slots = Slots()
    for number in range(SLOTS + 5):
        device = Device(f"D{number}", "", f"i{number}", "")
        assert slots.plug([device]) == [number % SLOTS]
        slots.unplug([])


def test_whatever_is_plugged_and_pulled_no_two_have_one_slot():
    rng = random.Random(5)
    slots, there = Slots(), []
    for _ in range(2000):
        if rng.random() < 0.5 or not there:
            number = rng.randrange(40)
            there.append(Device(f"D{number % 7}", "", f"i{number}", ""))
            there = list({d.id: d for d in there}.values())
        else:
            there.pop(rng.randrange(len(there)))
        slots.unplug(there)
        slots.plug(there)
        assert len({d.id for d in slots.devices.values()}) == len(slots.devices)
        assert len(slots.devices) == min(len(there), SLOTS)

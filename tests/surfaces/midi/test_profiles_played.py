"""Every built-in profile, played through the compiled resolver."""

from __future__ import annotations

import numpy as np
import pytest
from midi_player import MidiPlayer

from sfa_engine.engine.layout import VALUE_INDEX
from sfa_engine.engine.midi import Action, Encoding, EventKind, FeedKind, Kind, LightKind
from sfa_engine.surfaces.midi.lights import check_message
from sfa_engine.surfaces.midi.profile import BUILT_IN, read_profile
from sfa_engine.surfaces.midi.table import compile_profile

pytestmark = pytest.mark.slow
FILES = sorted(BUILT_IN.glob("*.toml"))
STATUS = {
    Kind.NOTE: 0x90,
    Kind.CONTROL: 0xB0,
    Kind.PROGRAM: 0xC0,
    Kind.CHANNEL_PRESSURE: 0xD0,
    Kind.PITCH_BEND: 0xE0,
}
# What is sent: up and down of a relative control, all the way of an absolute one, a press.
VALUES = {
    Encoding.TWOS_COMPLEMENT: (1, 127),
    Encoding.OFFSET_64: (65, 63),
    Encoding.SIGN_BIT: (1, 65),
    Encoding.BUTTON: (127,),
}


@pytest.fixture(scope="module")
def player():
    return MidiPlayer()


def message(row, value):
    """Return the bytes that a binding is looked up by, with a value of 7 bits."""
    key = int(row["key"])
    kind, channel, number = Kind(key >> 18 & 7), key >> 14 & 15, key & 0x3FFF
    if kind in {Kind.PROGRAM, Kind.CHANNEL_PRESSURE}:
        return bytes([STATUS[kind] | channel, number if kind is Kind.PROGRAM else value])
    if kind is Kind.PITCH_BEND:
        return bytes([STATUS[kind] | channel, value, value])
    return bytes([STATUS[kind] | channel, number, value])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_message_of_a_profile_does_what_its_map_says(file, player):
    """In a state in which it is in force; of the channels of `any`, the first."""
    made = compile_profile(read_profile(file), 0)
    player.bind(*made.bindings, lights=made.lights)
    player.cycle()
    every = sum(layer.mask for layer in made.layers)
    played = set()
    for row in made.bindings:
        if int(row["number"]) in played or row["encoding"] == Encoding.LSB:
            continue
        played.add(int(row["number"]))
        player.set_state(every, int(row["want"]))
        player.events.fetch()
        player.commands()
        other = [m for m in made.bindings if m["number"] == row["number"]]
        pair = next((m for m in other if m["encoding"] == Encoding.LSB), None)
        for value in VALUES.get(Encoding(int(row["encoding"])), (0, 127)):
            player.play(message(row, value), block=False)
            if pair is not None:
                player.play(message(pair, value), block=False)
        action = made.actions[row["number"]]
        if row["action"] == Action.STATE:
            state = int(player.midi["slots"][0]["state"])
            assert state & int(row["state_mask"]) == int(row["state_value"]), action
        elif row["action"] == Action.STAGE:
            told = [e.number for e in player.events.fetch() if e.kind == EventKind.STAGE]
            assert int(row["number"]) in told, action
        else:
            target = int(row["op"]), int(row["deck"]), int(row["target"])
            asked = [(int(c["op"]), int(c["deck"]), int(c["target"])) for c in player.commands()]
            assert target in asked, (made.inputs[row["input"]], action)
        if row["encoding"] == Encoding.BUTTON:
            player.play(message(row, 0), block=False)
        player.render()
    assert played == set(range(len(made.actions)))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_all_lamps_of_a_profile_are_sent_whole_messages(file, player):
    made = compile_profile(read_profile(file), 0)
    player.bind(*made.bindings, lights=made.lights)
    player.cycle()
    player.set_state(sum(layer.mask for layer in made.layers), 0)
    player.sent()
    player.feed.write(FeedKind.RESYNC, 0)
    player.wait(0.1)  # 32 messages each 5 ms
    sent = set(player.sent())
    for message_sent in sent:
        check_message(message_sent)
    lit = made.lights[(made.lights["want"] == 0) | (made.lights["kind"] == LightKind.STATE)]
    shown = {bytes(row[side][: row["length"]]) for row in lit for side in ("on", "off")}
    assert sent <= shown
    assert bool(sent) == bool(len(made.lights))


def platter_of(player, deck=1):
    return player.memory.engine["flat"][VALUE_INDEX[f"deck{deck}.platter"]]


@pytest.mark.parametrize(
    ("name", "touch", "turn", "ticks"),
    [
        ("ddj-400", (0x90, 0x36), (0xB0, 0x22, 65), 720),
        ("ddj-flx4", (0x90, 0x36), (0xB0, 0x22, 65), 720),
        ("inpulse-200", (0x91, 8), (0xB1, 0x0A, 1), 248),
        ("inpulse-300", (0x91, 8), (0xB1, 0x0A, 1), 248),
        ("mixtrack-pro-fx", (0x90, 6), (0xB0, 6, 1), 1024),
    ],
)
def test_a_jog_wheel_that_is_touched_turns_the_track_as_a_record(name, touch, turn, ticks):
    player = MidiPlayer()
    track = np.zeros((30 * 48_000, 2), np.int16)
    player.engine.load(0, {"mix": track}, rate=48_000, position_s=10.0)
    table = compile_profile(read_profile(BUILT_IN / f"{name}.toml"), 0)
    player.bind(*table.bindings)
    player.play([*touch, 127])
    assert player.value("deck1.touch") == 1.0
    for _ in range(64):
        player.play(list(turn), block=False)
        player.render(128)
    player.render(4800)
    assert platter_of(player) == pytest.approx(64 * 1.8 / ticks, rel=1e-6)
    # The first tick came with the hand's first movement; all that follow are followed.
    assert player.value("deck1.position") == pytest.approx(10.0 + 64 * 1.8 / ticks, abs=2e-3)
    player.close()
    player.render()
    assert player.value("deck1.touch") == 0.0, "a hand whose device is gone holds the deck"
    assert not player.memory.engine["transport"][0]["playing"]

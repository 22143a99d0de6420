"""The compiled resolver: what each message does by the table."""

import numpy as np
import pytest
from midi_player import MidiPlayer, binding, button, light

from sfa_engine.desk import CONTROLS
from sfa_engine.desk.deck import RATE_RANGES_PCT
from sfa_engine.engine.command import Op, Source, When
from sfa_engine.engine.layout import TICK, VALUE_INDEX
from sfa_engine.engine.midi import (
    MAX_SYSEX,
    Action,
    Encoding,
    EventKind,
    FeedKind,
    Kind,
    LightKind,
    StateRule,
    Takeover,
)
from sfa_engine.engine.midi_rings import EventReader
from sfa_engine.host.midi_state import MAX_HELD, Mode

FADER = "master.volume"


def fader(number=7, path=FADER, **fields):
    return binding(path, Kind.CONTROL, number, **fields)


# ---------------------------------------------------------------------- buttons


def test_a_press_is_a_command_of_the_slot_one_block_after_it_came():
    player = MidiPlayer(button("deck1.hotcue1.press", 36, x=1.0))
    player.play([0x90, 36, 100], block=False)
    (command,) = player.commands()
    assert command["op"] == Op.HOTCUE_PRESS
    assert command["source"] == Source.MIDI
    assert command["when"] == When.FRAME
    late = int(command["frame"]) - int(player.state.record["first"])
    assert late == 128
    assert command["ticket"] == player.ring["head"]


def test_a_toggle_pressed_twice_within_a_block_is_where_it_was():
    player = MidiPlayer(button("deck1.reverse", 1, Action.TOGGLE))
    for _ in range(2):
        player.play([0x90, 1, 1], [0x80, 1, 0], block=False)
    assert player.sets() == [1.0, 0.0]
    player.render()
    assert player.value("deck1.reverse") == 0.0


def test_a_note_on_of_velocity_0_releases():
    player = MidiPlayer(button("deck1.cue", 1, Action.HOLD, x=1.0, rest=0.0))
    player.play([0x90, 1, 64], [0x90, 1, 0])
    assert [c["x"] for c in player.commands()] == [1.0, 0.0]


def test_velocity_is_the_number_of_a_press_that_wants_it():
    row = button("deck1.cue", 1, Action.HOLD, by_velocity=1, low=0.0, high=127.0)
    player = MidiPlayer(row)
    player.play([0x90, 1, 127], [0x80, 1, 0], [0x90, 1, 1])
    assert [c["x"] for c in player.commands()] == [127.0, 0.0, pytest.approx(1.0)]


def test_a_button_on_a_control_change_is_on_from_64_and_pressed_once():
    row = fader(20, "deck1.reverse", encoding=Encoding.BUTTON, action=Action.TOGGLE)
    player = MidiPlayer(row)
    player.play([0xB0, 20, 63], [0xB0, 20, 64], [0xB0, 20, 90], [0xB0, 20, 0], [0xB0, 20, 64])
    assert player.sets() == [1.0, 0.0]


def test_a_button_that_only_ever_sends_127_is_pressed_each_time():
    row = fader(20, "deck1.reverse", encoding=Encoding.BUTTON, action=Action.TOGGLE)
    player = MidiPlayer(row)
    player.play([0xB0, 20, 127], [0xB0, 20, 127])
    assert player.sets() == [1.0, 0.0]


def test_a_choice_goes_round():
    row = button("deck1.rate_range", 1, Action.CYCLE, options=len(RATE_RANGES_PCT))
    player = MidiPlayer(row)
    before = player.value("deck1.rate_range")
    for _ in RATE_RANGES_PCT:
        player.play([0x90, 1, 1], [0x80, 1, 0])
    assert len(set(player.sets())) == len(RATE_RANGES_PCT)
    assert player.value("deck1.rate_range") == before


def test_a_program_change_presses_and_is_never_held():
    row = binding("deck1.reverse", Kind.PROGRAM, 5, encoding=Encoding.BUTTON, action=Action.TOGGLE)
    player = MidiPlayer(row)
    player.play([0xC0, 5], [0xC0, 5])
    assert player.sets() == [1.0, 0.0]
    assert player.state.record["held_count"] == 0


@pytest.mark.parametrize("way", ["close", "layer", "table"])
def test_what_was_pressed_is_released_whatever_changed_meanwhile(way):
    row = button("deck1.cue", 1, Action.HOLD, mask=1, want=0)
    player = MidiPlayer(row)
    player.play([0x90, 1, 64])
    if way == "close":
        player.close()
    elif way == "layer":
        player.set_state(1, 1)
        player.play([0x80, 1, 0])
    else:
        player.bind()
        player.play([0x80, 1, 0])
    assert [c["x"] for c in player.commands()] == [1.0, 0.0]
    assert player.state.record["held_count"] == 0


def test_a_press_while_the_release_was_lost_releases_first():
    player = MidiPlayer(button("deck1.cue", 1, Action.HOLD))
    player.play([0x90, 1, 64], [0x90, 1, 64])
    assert [c["x"] for c in player.commands()] == [1.0, 0.0, 1.0]


def test_closing_one_device_leaves_the_buttons_of_the_other():
    rows = [button("deck1.cue", 1, Action.HOLD, slot=slot) for slot in (0, 1)]
    player = MidiPlayer(*rows)
    player.open(1)
    player.play([0x90, 1, 64])
    player.play([0x90, 1, 64], slot=1)
    player.commands()
    player.close(1)
    (released,) = player.commands()
    assert released["source"] == Source.MIDI + 1
    assert player.state.record["held_count"] == 1


def test_more_buttons_than_there_is_room_for_are_pressed_and_counted():
    rows = [button("deck1.cue", n % 128, channel=n // 128, x=1.0) for n in range(MAX_HELD + 1)]
    player = MidiPlayer(*rows)
    player.play(*([0x90 + n // 128, n % 128, 1] for n in range(MAX_HELD + 1)), block=False)
    assert len(player.commands()) == MAX_HELD + 1
    assert player.midi["slots"][0]["dropped"] == 1


# ---------------------------------------------------------------------- state


@pytest.mark.parametrize(
    ("rule", "states"),
    [(StateRule.HOLD, [2, 0, 2]), (StateRule.TOGGLE, [2, 2, 0]), (StateRule.SET, [2, 2, 2])],
)
def test_a_modifier_changes_the_state(rule, states):
    row = button("deck1.cue", 1, Action.STATE, state_rule=rule, state_mask=6, state_value=2)
    player = MidiPlayer(row)
    found = []
    for message in ([0x90, 1, 1], [0x80, 1, 0], [0x90, 1, 1]):
        player.play(message)
        found.append(int(player.midi["slots"][0]["state"]))
    assert found == states


def test_a_layer_chooses_among_the_bindings_of_a_message():
    shift = button("deck1.cue", 1, Action.STATE, state_mask=1, state_value=1)
    plain = button("deck1.hotcue1.press", 2, mask=1, want=0)
    shifted = button("deck1.hotcue1.clear", 2, mask=1, want=1)
    player = MidiPlayer(shift, plain, shifted)
    player.play([0x90, 2, 1], [0x80, 2, 0], [0x90, 1, 1], [0x90, 2, 1], [0x80, 2, 0], [0x80, 1, 0])
    assert [c["op"] for c in player.commands()] == [Op.HOTCUE_PRESS, Op.HOTCUE_CLEAR]
    assert [event.state for event in player.told(EventKind.STATE)] == [1, 0]


# ---------------------------------------------------------------------- faders


def test_a_fader_reaches_both_ends():
    player = MidiPlayer(fader())
    scale = CONTROLS[FADER].scale
    player.play([0xB0, 7, 0], [0xB0, 7, 127])
    assert player.sets() == [scale.low, scale.high]


def test_an_inverted_fader_runs_the_other_way():
    player = MidiPlayer(fader(start=1.0, end=0.0))
    scale = CONTROLS[FADER].scale
    player.play([0xB0, 7, 0], [0xB0, 7, 127])
    assert player.sets() == [scale.high, scale.low]


def test_a_pitch_bend_has_14_bits():
    row = binding("crossfader", Kind.PITCH_BEND, 0)
    player = MidiPlayer(row)
    player.play([0xE0, 0, 0], [0xE0, 0x7F, 0x7F], [0xE0, 1, 0])
    assert player.sets() == [-100.0, 100.0, pytest.approx(-100 + 200 / 16383)]


@pytest.mark.parametrize(("status", "kind"), [(0xA0, Kind.POLY_PRESSURE), (0xD0, 4)])
def test_pressure_is_a_fader(status, kind):
    number = 9 if status == 0xA0 else 0
    player = MidiPlayer(binding("crossfader", kind, number))
    player.play([status, 9, 127] if status == 0xA0 else [status, 127])
    assert player.sets() == [100.0]


def test_a_tempo_fader_moves_within_its_range():
    row = fader(
        path="deck1.rate", action=Action.TEMPO_FADER, range_index=VALUE_INDEX["deck1.rate_range"]
    )
    player = MidiPlayer(row)
    player.play([0xB0, 7, 0], [0xB0, 7, 127])
    assert player.sets() == [pytest.approx(0.92), pytest.approx(1.08)]


def test_soft_take_over_waits_for_the_value_to_be_reached():
    player = MidiPlayer(fader(takeover=Takeover.PICKUP, path="crossfader"))
    player.play([0xB0, 7, 10], [0xB0, 7, 40])
    assert player.sets() == []
    player.play([0xB0, 7, 63], [0xB0, 7, 20])
    assert len(player.sets()) == 2


def test_soft_take_over_takes_over_in_passing():
    player = MidiPlayer(fader(takeover=Takeover.PICKUP, path="crossfader"))
    player.play([0xB0, 7, 10], [0xB0, 7, 120])
    assert player.sets() == [pytest.approx(-100 + 200 * 120 / 127)]


def test_a_fader_keeps_its_take_over_while_its_command_is_not_read_yet():
    player = MidiPlayer(fader(path="crossfader", takeover=Takeover.PICKUP))
    player.play([0xB0, 7, 0], block=False)
    player.memory.engine["frame"] += 10 * TICK  # the audio callback is ahead
    player.play([0xB0, 7, 127], block=False)
    (command,) = player.commands()
    assert (command["when"], command["x"]) == (When.NOW, 100.0)
    player.memory.engine["frame"] += TICK  # of a tick that had read the ring before
    player.play([0xB0, 7, 100], block=False)
    assert player.sets() == [pytest.approx(-100 + 200 * 100 / 127)]


def test_a_value_that_another_source_changed_is_picked_up_again():
    player = MidiPlayer(fader(takeover=Takeover.PICKUP, path="crossfader"))
    player.play([0xB0, 7, 64], [0xB0, 7, 100])
    player.sets()
    player.engine.set("crossfader", -50.0)
    player.render()
    assert player.value("crossfader") == -50.0
    player.play([0xB0, 7, 99])
    assert player.sets() == []
    player.play([0xB0, 7, 20])
    assert len(player.sets()) == 1


def test_a_device_that_comes_back_does_not_make_a_value_jump():
    player = MidiPlayer(fader(takeover=Takeover.PICKUP, path="crossfader"))
    player.play([0xB0, 7, 64], [0xB0, 7, 100])
    player.close()
    player.open(0)
    player.sets()
    player.play([0xB0, 7, 5])
    assert player.sets() == []


@pytest.mark.parametrize("elsewhere", [[], [fader(mask=1, want=1, action=Action.STAGE)]])
def test_a_fader_that_moved_in_another_layer_does_not_make_a_value_jump(elsewhere):
    row = fader(takeover=Takeover.PICKUP, path="crossfader", mask=1, want=0)
    player = MidiPlayer(row, *elsewhere)
    player.play([0xB0, 7, 10])
    player.set_state(1, 1)
    player.play([0xB0, 7, 120])
    player.set_state(1, 0)
    player.play([0xB0, 7, 121])
    assert player.sets() == []


# ---------------------------------------------------------------------- relative


@pytest.mark.parametrize(
    ("encoding", "up", "down"),
    [
        (Encoding.TWOS_COMPLEMENT, 2, 126),
        (Encoding.OFFSET_64, 66, 62),
        (Encoding.SIGN_BIT, 2, 66),
    ],
)
def test_a_relative_control_moves_by_steps(encoding, up, down):
    player = MidiPlayer(fader(path="crossfader", encoding=encoding, step=0.01))
    player.play([0xB0, 7, up], [0xB0, 7, up], [0xB0, 7, down])
    assert player.sets() == pytest.approx([4.0, 8.0, 4.0])


def test_small_steps_of_a_whole_number_add_up():
    row = fader(path="clock.beats_per_bar", encoding=Encoding.TWOS_COMPLEMENT, step=0.01)
    player = MidiPlayer(row)
    before = player.value("clock.beats_per_bar")
    for _ in range(60):
        player.play([0xB0, 7, 1])
    assert player.value("clock.beats_per_bar") > before


def test_a_jog_wheel_bends_and_rests_when_it_is_still():
    row = fader(
        path="deck1.bend",
        encoding=Encoding.OFFSET_64,
        action=Action.BEND,
        step=2.0,
    )
    player = MidiPlayer(row)
    player.play([0xB0, 7, 65], [0xB0, 7, 65], block=False)
    first, second = player.sets()
    assert first == 2.0
    assert 2.0 < second <= 4.0
    player.wait(0.1)
    assert player.sets() == [0.0]
    player.wait(0.1)
    assert player.sets() == []


def test_closing_one_device_leaves_the_jog_wheel_of_the_other():
    rows = [
        fader(path="deck1.bend", encoding=Encoding.OFFSET_64, action=Action.BEND, slot=slot)
        for slot in (0, 1)
    ]
    player = MidiPlayer(*rows)
    player.open(1)
    player.play([0xB0, 7, 65], block=False)
    player.close(1)
    assert len(player.sets()) == 1


# ---------------------------------------------------------------------- order


def test_what_is_asked_later_is_never_done_earlier():
    player = MidiPlayer(fader())
    player.engine.render(4 * 128)
    player.cycle()
    first = int(player.state.record["first"])
    for age in (100, 300, 0, 200):  # two devices of a network whose clocks differ
        player.feed.write(FeedKind.IN, 0, bytes([0xB0, 7, age // 10]), first - age)
    player.feed.write(FeedKind.IN, 0, bytes([0xB0, 7, 9]), first + (1 << 40))
    player.cycle()
    frames = [int(c["frame"]) for c in player.commands()]
    assert frames == sorted(frames)
    assert frames[-1] <= first + 2 * 128 + 48


def test_a_lone_half_never_wins_over_the_pair_that_follows():
    player = MidiPlayer(*pair())
    player.engine.render(8 * 128)  # the thread looks late
    player.play([0xB0, 7, 64], block=False)
    player.play([0xB0, 39, 5], block=False)
    assert player.sets() == [percent(64 << 7 | 5)]


# ---------------------------------------------------------------------- pairs


def pair(path="crossfader", **fields):
    return [
        fader(7, path, encoding=Encoding.MSB, input=3, **fields),
        fader(39, path, encoding=Encoding.LSB, input=3, **fields),
    ]


def percent(number):
    return pytest.approx(-100 + 200 * number / 16383)


@pytest.mark.parametrize("swapped", [False, True])
def test_both_halves_make_one_move_in_either_order(swapped):
    player = MidiPlayer(*pair())
    halves = [[0xB0, 7, 64], [0xB0, 39, 5]]
    player.play(*reversed(halves) if swapped else halves, block=False)
    assert player.sets() == [percent(64 << 7 | 5)]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_sweep_over_a_step_of_the_msb_never_goes_back(swapped):
    player = MidiPlayer(*pair())
    for number in range(8000, 8400, 7):
        halves = [[0xB0, 7, number >> 7], [0xB0, 39, number & 127]]
        player.play(*reversed(halves) if swapped else halves, block=False)
        player.wait(0.005)
    found = player.sets()
    assert (np.diff(found) > 0).all()
    assert found[-1] == percent(number)


def test_a_half_that_stays_alone_is_done_after_three_milliseconds():
    player = MidiPlayer(*pair())
    player.play([0xB0, 7, 64], [0xB0, 39, 5], block=False)
    player.sets()
    player.wait(0.01)
    player.play([0xB0, 7, 65], block=False)
    assert player.sets() == []
    player.wait(0.005)
    assert player.sets() == [percent(65 << 7 | 5)]


def test_once_the_order_is_known_a_lone_last_half_does_not_wait():
    player = MidiPlayer(*pair())
    player.play([0xB0, 7, 64], [0xB0, 39, 5], block=False)
    player.wait(0.01)
    player.sets()
    player.play([0xB0, 39, 6], block=False)
    assert player.sets() == [percent(64 << 7 | 6)]


def test_a_msb_alone_reaches_the_end():
    player = MidiPlayer(*pair())
    player.play([0xB0, 7, 127], block=False)
    player.wait(0.005)
    assert player.sets() == [100.0]


def test_an_nrpn_is_known_by_its_number_and_its_data_by_both_halves():
    row = binding("crossfader", Kind.NRPN, 3 << 7 | 4, input=1)
    player = MidiPlayer(row)
    player.play([0xB0, 99, 3], [0xB0, 98, 4], [0xB0, 6, 64], [0xB0, 38, 0], block=False)
    assert player.sets() == [percent(64 << 7)]
    assert player.told(EventKind.MESSAGE) == []


def test_data_increments_move_an_nrpn_by_steps():
    row = binding("crossfader", Kind.NRPN, 3 << 7 | 4, input=1)
    player = MidiPlayer(row, binding("master.volume", Kind.NRPN, 3 << 7 | 5, input=2))
    player.play([0xB0, 99, 3], [0xB0, 98, 4], [0xB0, 96, 0], [0xB0, 96, 0], [0xB0, 97, 0])
    one = 200 / 128
    assert player.sets() == [pytest.approx(one), pytest.approx(2 * one), pytest.approx(one)]
    player.set_state(1, 1)
    player.bind(binding("crossfader", Kind.NRPN, 3 << 7 | 4, input=1, mask=1, want=0))
    player.play([0xB0, 96, 0], [0xB0, 6, 64], block=False)
    player.wait(0.005)
    assert player.sets() == []  # the layer is another one


def test_data_entry_is_a_control_change_where_no_nrpn_is_bound():
    player = MidiPlayer(fader(6, "crossfader"))
    player.play([0xB0, 99, 3], [0xB0, 98, 4], [0xB0, 6, 127])
    assert player.sets() == [100.0]


# ---------------------------------------------------------------------- bytes


def test_running_status_and_realtime_bytes_inside_a_message():
    player = MidiPlayer(fader(path="crossfader"))
    player.play([0xB0, 7, 0xF8, 0, 7, 127])
    assert player.sets() == [-100.0, 100.0]


def test_a_sysex_in_pieces_reaches_the_stage_whole():
    player = MidiPlayer()
    sysex = bytes([0xF0, *[n % 128 for n in range(1000)], 0xF7])
    for at in range(0, len(sysex), 300):
        player.play(sysex[at : at + 300], block=False)
    events = player.told(EventKind.MESSAGE)
    assert b"".join(event.data for event in events) == sysex
    assert [event.more for event in events] == [True] * (len(events) - 1) + [False]


def test_a_sysex_that_is_too_long_is_dropped_and_counted():
    player = MidiPlayer(fader(path="crossfader"))
    player.play([0xF0, *[1] * MAX_SYSEX, 0xF7], [0xB0, 7, 127])
    assert player.told(EventKind.MESSAGE) == []
    assert player.midi["slots"][0]["dropped"] == 1
    assert player.sets() == [100.0]


def test_a_sysex_that_is_broken_off_does_not_swallow_what_follows():
    player = MidiPlayer(fader(path="crossfader"))
    player.play([0xF0, 1, 2, 0xB0, 7, 127])
    assert player.sets() == [100.0]


def test_what_is_not_bound_is_told():
    player = MidiPlayer(fader())
    player.play([0xB0, 8, 1], [0xB0, 7, 1])
    assert [event.data for event in player.told(EventKind.MESSAGE)] == [b"\xb0\x08\x01"]


def test_a_monitored_slot_tells_what_is_bound_too():
    player = MidiPlayer(fader())
    player.midi["slots"][0]["monitored"] = 1
    player.play([0xB0, 7, 1])
    assert [event.data for event in player.told(EventKind.MESSAGE)] == [b"\xb0\x07\x01"]


def named(row, number):
    row["number"] = number
    return row


def test_the_stage_is_told_of_what_it_does_itself():
    rows = [
        named(button("deck1.cue", 1, Action.STAGE), 5),
        named(fader(action=Action.STAGE), 6),
        named(fader(8, action=Action.STAGE, encoding=Encoding.TWOS_COMPLEMENT), 7),
    ]
    player = MidiPlayer(*rows)
    player.play([0x90, 1, 127], [0x80, 1, 0], [0xB0, 7, 127], [0xB0, 8, 125])
    told = [(event.number, event.x) for event in player.told(EventKind.STAGE)]
    assert told == [(5, 1.0), (5, 0.0), (6, 1.0), (7, -3.0)]


def test_a_full_ring_of_events_is_counted_and_nothing_waits():
    player = MidiPlayer()
    for _ in range(5000):
        player.play([0xB0, 8, 1], block=False)
    assert player.midi["events_lost"] > 0
    assert len(player.events.fetch()) == 4096


# ---------------------------------------------------------------------- feed and table


def test_bytes_of_the_network_are_resolved_like_any():
    player = MidiPlayer(fader(path="crossfader"))
    player.open(0, Mode.STAGE)
    player.feed.write(FeedKind.IN, 0, bytes([0xB0, 7, 127]))
    player.cycle()
    assert player.sets() == [100.0]


def test_bytes_of_the_network_that_come_behind_its_close_are_not_held():
    player = MidiPlayer(button("deck1.cue", 1, Action.HOLD))
    player.feed.write(FeedKind.IN, 0, bytes([0x90, 1, 64]))
    player.close()
    assert player.commands() == []
    assert player.state.record["held_count"] == 0


def test_what_the_stage_sends_goes_out_whole():
    player = MidiPlayer()
    sysex = bytes([0xF0, *range(100), 0xF7])
    player.feed.write(FeedKind.OUT, 0, sysex)
    player.cycle()
    assert player.sent() == [sysex]


def test_what_goes_to_the_network_comes_back_as_an_event():
    player = MidiPlayer()
    player.open(0, Mode.STAGE)
    player.feed.write(FeedKind.OUT, 0, bytes([0x90, 1, 2]))
    player.cycle()
    assert [event.data for event in player.told(EventKind.OUT)] == [b"\x90\x01\x02"]


def test_a_table_that_is_swapped_is_acknowledged_and_in_force_at_once():
    player = MidiPlayer(fader(path="crossfader"))
    player.bind(fader(path="deck1.filter"))
    assert not player.tables.is_free
    player.play([0xB0, 7, 127])
    assert player.tables.is_free
    assert player.value("deck1.filter") == 100.0
    assert player.value("crossfader") == 0.0


def test_no_press_is_lost_while_the_table_is_swapped_again_and_again():
    row = button("deck1.cue", 1, Action.HOLD)
    player = MidiPlayer(row)
    for _ in range(100):
        player.bind(row, fader())
        player.play([0x90, 1, 64])
        player.bind(row)
        player.play([0x80, 1, 0])
    assert [c["x"] for c in player.commands()] == [1.0, 0.0] * 100


def test_a_release_whose_press_the_host_before_has_seen_is_done_all_the_same():
    player = MidiPlayer(button("deck1.bend", 1, Action.HOLD, x=10.0))
    player.engine.set("deck1.bend", 10.0)
    player.render()
    player.play([0x80, 1, 0])
    assert player.value("deck1.bend") == 0.0


# ---------------------------------------------------------------------- lights


def test_a_light_follows_its_value_and_is_sent_once():
    lamp = light("deck1.reverse", b"\x90\x01\x7f", b"\x90\x01\x00")
    player = MidiPlayer(lights=[lamp])
    player.wait(0.02)
    assert player.sent() == [b"\x90\x01\x00"]
    player.engine.set("deck1.reverse", 1.0)
    player.wait(0.05)
    assert player.sent() == [b"\x90\x01\x7f"]
    player.feed.write(FeedKind.RESYNC, 0)
    player.wait(0.02)
    assert player.sent() == [b"\x90\x01\x7f"]


def test_a_meter_is_sent_thirty_times_a_second_at_most():
    lamp = light(
        "crossfader", b"\xb0\x01\x00", b"\xb0\x01\x00", kind=LightKind.METER, level_at=2,
        low=-100.0, high=100.0,
    )  # fmt: skip
    player = MidiPlayer(lights=[lamp])
    player.wait(0.02)
    player.sent()
    for step in range(100):
        player.engine.set("crossfader", float(step))
        player.wait(0.01)
    assert 20 <= len(player.sent()) <= 31
    player.wait(0.05)
    assert player.value("crossfader") == 99.0


def test_lamps_of_a_layer_are_sent_when_it_comes_into_force():
    rows = [
        light("", bytes([0x90, 1, colour]), b"\x90\x01\x00", kind=LightKind.SWITCH, mask=1,
              want=layer, index=VALUE_INDEX["deck1.reverse"], low=0.0)
        for layer, colour in ((0, 5), (1, 9))
    ]  # fmt: skip
    player = MidiPlayer(lights=rows)
    player.wait(0.02)
    assert player.sent() == [bytes([0x90, 1, 5])]
    for layer, colour in ((1, 9), (0, 5)):
        player.set_state(1, layer)
        player.wait(0.02)
        assert player.sent() == [bytes([0x90, 1, colour])]


def test_all_lights_are_sent_soon_but_never_all_at_once():
    rows = [light("deck1.reverse", bytes([0x90, n, 1]), bytes([0x90, n, 0])) for n in range(100)]
    player = MidiPlayer(lights=rows)
    counts = []
    for _ in range(12):
        player.wait(0.006)
        counts.append(len(player.sent()))
    assert sum(counts) == 100
    assert max(counts) <= 64


@pytest.mark.parametrize("field", ["low", "high", "start", "end"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_no_number_that_is_none_reaches_a_control(field, wrong):
    player = MidiPlayer(fader(path="crossfader", **{field: wrong}))
    for value in range(0, 128, 9):
        player.play([0xB0, 7, value])
    assert np.isfinite(player.value("crossfader"))
    assert all(np.isfinite(player.sets()))


def test_a_table_of_random_bytes_does_no_harm():
    rng = np.random.default_rng(1)
    player = MidiPlayer()
    for _ in range(20):
        table = player.midi["tables"][int(player.midi["serial"]) & 1]
        for name in ("binding", "light"):
            table[name].view("u1")[:] = rng.integers(0, 256, table[name].view("u1").shape)
        table["binding"]["key"] = np.sort(rng.integers(0, 4096, len(table["binding"])))
        table["bindings"], table["lights"] = 1 << 40, 4096
        messages = rng.integers(0, 256, (50, 3), dtype=np.uint8)
        player.play(*(bytes(message) for message in messages))
    assert np.isfinite(player.memory.engine["flat"]).all()


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_random_bytes_neither_crash_nor_grow(count):
    rng = np.random.default_rng(7)
    rows = [fader(n, path="crossfader", takeover=n % 2) for n in range(64)]
    rows += [button("deck1.cue", n, Action.HOLD) for n in range(64)]
    player = MidiPlayer(*rows, *pair())
    data = rng.integers(0, 256, 4 * count, dtype=np.uint8)
    data[rng.random(len(data)) < 0.5] &= 0x7F
    for at in range(0, len(data), 250):
        player.play(data[at : at + 250].tobytes(), block=at % 5000 == 0)
        player.events.fetch()
        player.state.record["outbox_length"] = 0
    assert np.isfinite(player.memory.engine["flat"]).all()
    assert player.state.record["held_count"] <= MAX_HELD
    player.close()
    assert player.state.record["held_count"] == 0


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_random_sysex_arrives_whole_or_not_at_all(count):
    """Beginnings, ends, bytes of data, clock and other messages, cut where it happens to be."""
    rng = np.random.default_rng(11)
    player = MidiPlayer()
    begun, whole = b"", 0
    for _ in range(count // 100):
        data = rng.integers(0, 128, 100, dtype=np.uint8)
        at = rng.random(100)
        for byte, below in ((0xF0, 0.04), (0xF7, 0.08), (0xF8, 0.10), (0x90, 0.11), (0xFD, 0.12)):
            data[(at < below) & (data < 128)] = byte
        player.play(data.tobytes(), block=False)
        for event in player.told(EventKind.MESSAGE):
            begun += event.data
            if event.more:
                continue
            if begun[0] == 0xF0:
                assert begun[-1] == 0xF7
                assert max(begun[1:-1], default=0) < 0x80
                assert len(begun) <= MAX_SYSEX
                whole += 1
            begun = b""
        player.state.record["outbox_length"] = 0
    assert whole > count // 100
    assert np.isfinite(player.memory.engine["flat"]).all()


def test_what_was_told_to_the_stage_before_is_left_out():
    player = MidiPlayer()
    player.play([0xB0, 80, 1])
    reader = EventReader(player.memory)
    reader.skip()
    assert reader.fetch() == []
    player.play([0xB0, 80, 2])
    assert [event.data for event in reader.fetch()] == [b"\xb0\x50\x02"]


def test_a_device_that_comes_back_is_sent_start_at_the_next_bar():
    player = MidiPlayer()
    player.engine.set("clock.midi_out", 1.0)
    player.midi["slots"][0]["open"] = player.midi["slots"][0]["clock_out"] = 1
    for _ in range(2):
        player.wait(2.2)  # a bar, and more
        assert b"\xfa" in player.sent()
        player.close()
        player.open(0)


def test_a_device_that_floods_loses_no_press():
    rows = [button("deck1.reverse", 1, Action.TOGGLE), fader(path="crossfader")]
    player = MidiPlayer(*rows)
    for number in range(100):  # 31,250 bit/s are 2.8 messages in a block
        moves = [[0xB0, 7, k] for k in (10, 90)]
        player.play(*moves, [0x90 if number % 2 == 0 else 0x80, 1, 64])
    reverse = VALUE_INDEX["deck1.reverse"]
    assert sum(command["target"] == reverse for command in player.commands()) == 50
    assert player.midi["slots"][0]["dropped"] == 0
    assert player.midi["events_lost"] == 0

"""Clock bytes faster than any clock, and the steps of an NRPN: bytes that few devices send."""

import time

import numpy as np
import pytest
from midi_player import RATE, MidiPlayer, binding, button

from sfa_engine.engine.layout import VALUE_INDEX
from sfa_engine.engine.midi import Action, EventKind, Kind
from sfa_engine.host.kernel.midi_clock import MAX_BURST, MAX_RATE
from sfa_engine.host.midi_state import INBOX, INBOX_BYTES

NRPN = 3 << 7 | 4
SELECT = ([0xB0, 99, 3], [0xB0, 98, 4])


def listening(*rows):
    """Return a player whose slot follows MIDI clock."""
    player = MidiPlayer(*rows)
    for name in ("open", "clock_in"):
        player.midi["slots"][0][name] = 1
    player.memory.engine["flat"][VALUE_INDEX["clock.midi_in"]] = 1.0
    return player


def flood(player, bytes_of_a_cycle):
    """Fill the inbox with bytes, as many as JACK has of a device in a cycle."""
    for number in range(INBOX):
        box = player.state.record["inbox"][number]
        box["slot"], box["length"] = 0, INBOX_BYTES
        box["data"][:] = np.resize(np.array(bytes_of_a_cycle, np.uint8), INBOX_BYTES)
    player.state.record["inbox_count"] = INBOX


@pytest.mark.parametrize("sent", [[0xF8], [0xF8, 0xFA, 0xFC], [0xFB, 0xFC]], ids=str)
def test_a_flood_of_clock_costs_a_cycle_little_and_is_counted(sent):
    player = listening()
    player.play(*[[0xF8]] * 4)
    costs = []
    for _ in range(20):
        flood(player, sent)
        began = time.thread_time()
        player.cycle()
        costs.append(time.thread_time() - began)
        player.render()
    # 16,384 bytes; a tick that is taken costs up to 10 us.
    assert min(costs) < 0.001
    assert player.midi["slots"][0]["dropped"] > 19 * INBOX * INBOX_BYTES
    assert len(player.commands()) <= 20 * MAX_BURST


def test_the_fastest_clock_with_every_tick_twice_loses_none():
    player = listening()
    for _ in range(200):
        player.play([0xF8], [0xF8], block=False)
        player.wait(2.0 / MAX_RATE)
    assert player.midi["slots"][0]["dropped"] == 0


def test_ticks_that_a_computer_held_up_are_taken():
    player = listening()
    for _ in range(10):
        player.play([0xF8] * MAX_BURST, block=False)
        player.wait(1.05 * MAX_BURST / MAX_RATE)
    assert player.midi["slots"][0]["dropped"] == 0


def test_a_clock_is_followed_after_the_engine_began_to_count_anew():
    player = listening()
    player.state.record["clock_due"][0] = 1e9
    player.play([0xF8])
    assert player.midi["slots"][0]["dropped"] == 0
    assert player.state.record["clock_due"][0] < 10 * RATE


def test_a_press_amid_a_flood_of_clock_is_done():
    player = listening(button("deck1.reverse", 1, Action.TOGGLE))
    player.play([0xF8] * 100 + [0x90, 0xF8, 1, 0xF8, 64] + [0xF8] * 100)
    assert player.value("deck1.reverse") == 1.0


# ---------------------------------------------------------------------- NRPN by steps


@pytest.mark.parametrize(("number", "sign"), [(96, 1), (97, -1)])
def test_data_increment_and_decrement_move_what_is_bound_to_the_nrpn(number, sign):
    player = MidiPlayer(binding("crossfader", Kind.NRPN, NRPN, input=1))
    player.play(*SELECT, *[[0xB0, number, 0]] * 3, block=False)
    assert player.sets() == pytest.approx([sign * k * 200 / 128 for k in (1, 2, 3)])
    assert player.told(EventKind.MESSAGE) == []


def test_a_step_of_an_nrpn_goes_on_from_where_the_value_is():
    player = MidiPlayer(binding("crossfader", Kind.NRPN, NRPN, input=1))
    player.play(*SELECT, [0xB0, 6, 127], [0xB0, 38, 127])
    player.play([0xB0, 97, 127], [0xB0, 96, 0], [0xB0, 96, 0])
    assert player.sets() == pytest.approx([100.0, 100 - 200 / 128, 100.0, 100.0])


def test_steps_too_small_for_an_option_add_up():
    player = MidiPlayer(binding("deck1.rate_range", Kind.NRPN, NRPN, input=1))
    before = player.value("deck1.rate_range")
    player.play(*SELECT, *[[0xB0, 96, 0]] * 30)
    assert player.value("deck1.rate_range") == before + 1


def test_increments_are_control_changes_where_no_nrpn_is_bound():
    player = MidiPlayer(binding("crossfader", Kind.CONTROL, 96))
    player.play(*SELECT, [0xB0, 96, 127])
    assert player.sets() == [100.0]

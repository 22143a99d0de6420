"""A button for an option of a choice: sync to the beat, and off again."""

from midi_player import MidiPlayer, button

from sfa_engine.desk import CONTROLS
from sfa_engine.engine.midi import Action

OFF, TEMPO, BEAT = range(3)
assert CONTROLS["deck1.sync"].options == ("off", "tempo", "beat")


def test_a_button_for_an_option_sets_it_and_puts_it_off_again():
    player = MidiPlayer(button("deck1.sync", 1, Action.TOGGLE, x=BEAT, rest=OFF))
    player.play([0x90, 1, 127], [0x80, 1, 0])
    assert player.value("deck1.sync") == BEAT
    player.play([0x90, 1, 127], [0x80, 1, 0])
    assert player.value("deck1.sync") == OFF


def test_another_option_is_changed_to_the_button_s():
    player = MidiPlayer(
        button("deck1.sync", 1, Action.TOGGLE, x=BEAT, rest=OFF),
        button("deck1.sync", 2, Action.PRESS, x=TEMPO),
    )
    player.play([0x90, 2, 127], [0x80, 2, 0], [0x90, 1, 127])
    assert player.value("deck1.sync") == BEAT

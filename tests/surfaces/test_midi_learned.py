"""Whatever is settable or pressable, but texts, is learned from whatever it can be moved by."""

import numpy as np
import pytest

from sfa_engine.desk import CONTROLS, Button, Switch, Text
from sfa_engine.engine.intents import family
from sfa_engine.engine.midi import Encoding, Kind, key
from sfa_engine.errors import Refused
from sfa_engine.surfaces.midi.learned import entry_for, for_device, new_profile, with_entry
from sfa_engine.surfaces.midi.profile import BUILT_IN, load_profiles, parse_profile
from sfa_engine.surfaces.midi.recognise import Learned
from sfa_engine.surfaces.midi.table import compile_profile

pytestmark = pytest.mark.slow

# One of each family: those that differ in their numbers alone are declared once.
LEARNABLE = list(
    {
        family(path): path
        for path, control in CONTROLS.items()
        if not (control.planned or isinstance(control, Text))
        and (control.settable or isinstance(control, Button))
    }.values()
)
NOTE = Learned(Kind.NOTE, 9, 36, Encoding.BUTTON)
SENDS = [
    NOTE,
    Learned(Kind.PROGRAM, 0, 3, Encoding.BUTTON),
    Learned(Kind.CONTROL, 0, 41, Encoding.BUTTON),
    Learned(Kind.CONTROL, 0, 7, Encoding.ABSOLUTE),
    Learned(Kind.CONTROL, 15, 1, Encoding.MSB, 33),
    Learned(Kind.CONTROL, 0, 50, Encoding.TWOS_COMPLEMENT),
    Learned(Kind.CONTROL, 0, 50, Encoding.OFFSET_64),
    Learned(Kind.CONTROL, 0, 50, Encoding.SIGN_BIT),
    Learned(Kind.PITCH_BEND, 2, 0, Encoding.ABSOLUTE),
    Learned(Kind.NRPN, 0, 261, Encoding.ABSOLUTE),
    Learned(Kind.CHANNEL_PRESSURE, 0, 0, Encoding.ABSOLUTE),
    Learned(Kind.POLY_PRESSURE, 0, 40, Encoding.ABSOLUTE),
]


def learn(text, path, learned):
    """Return a profile's text with a control more, as if it stood at rest."""
    control = CONTROLS[path]
    value = control.text(control.scale.rest) if control.settable else ""
    return with_entry(text, entry_for(control, learned, value), learned)


def bindings(text):
    compiled = compile_profile(parse_profile(text, "test"), 0)
    return compiled, {compiled.actions[row["number"]].path for row in compiled.bindings}


@pytest.mark.parametrize("learned", SENDS, ids=lambda learned: learned.words())
def test_every_control_is_learned(learned):
    empty = new_profile("Probe", set())
    for path in LEARNABLE:
        control = CONTROLS[path]
        is_pressed = isinstance(control, Button | Switch)
        turns = isinstance(control, Button) and control.scale.low < 0  # a beat jump
        if learned.is_relative and is_pressed and not turns:
            with pytest.raises(Refused, match="cannot press"):
                learn(empty, path, learned)
            continue
        compiled, paths = bindings(learn(empty, path, learned))
        assert paths == {path}
        keys = set(compiled.bindings["key"].tolist())
        assert key(0, learned.kind, learned.channel, learned.number) in keys


def test_what_is_learned_again_takes_the_place_of_the_first():
    text = learn(new_profile("Probe", set()), "deck1.play", NOTE)
    text = learn(text, "deck2.play", NOTE)
    assert bindings(text)[1] == {"deck2.play"}


def test_two_controls_of_one_name_are_kept_apart():
    text = learn(new_profile("Probe", set()), "deck1.fader", SENDS[3])
    other = Learned(Kind.CONTROL, 0, 7, Encoding.BUTTON)
    assert bindings(learn(text, "deck1.play", other))[1] == {"deck1.play"}


def test_comments_of_the_user_stay():
    text = new_profile("Probe", set()) + "\n# my pads\n"
    assert "# my pads" in learn(text, "deck1.play", NOTE)


@pytest.mark.parametrize("file", sorted(BUILT_IN.glob("*.toml")), ids=lambda file: file.stem)
def test_one_control_of_a_profile_of_ours_is_learned_and_the_others_stay(file):
    text = file.read_text()
    profile = parse_profile(text, file.name)
    before, _ = bindings(text)
    for physical in profile.physicals[:: max(1, len(profile.physicals) // 2)]:
        if not physical.messages or physical.messages[0].kind is not Kind.NOTE:
            continue
        message = physical.messages[0]
        learned = Learned(Kind.NOTE, message.channel, message.number, Encoding.BUTTON)
        entry = profile.document.control[physical.entry]
        if entry.state or any(each.state for each in entry.bindings):
            with pytest.raises(Refused, match="switches a layer"):
                learn(text, "deck2.loop.reloop", learned)
            continue
        changed = learn(text, "deck2.loop.reloop", learned)
        after, _ = bindings(changed)
        mine = key(0, Kind.NOTE, message.channel, message.number)
        (row,) = after.bindings[after.bindings["key"] == mine]
        assert after.actions[row["number"]].path == "deck2.loop.reloop"
        gone = {key(0, m.kind, m.channel, m.number) for m in physical.messages}

        def others(compiled, gone=gone):
            return {
                (row["key"], row["want"], compiled.actions[row["number"]].path)
                for row in compiled.bindings
                if row["key"] not in gone
            }

        assert others(after) == others(before)


def test_a_profile_for_every_controller_becomes_one_for_this():
    profile = load_profiles(None)["generic"]
    text = (BUILT_IN / "generic.toml").read_text()
    own = parse_profile(for_device(text, "Odd [1] (thing)", {"generic"}), "own")
    assert (own.name, own.fallback) == ("odd-1-thing", False)
    assert own.matches("Odd [1] (thing)")
    assert not own.matches("Another")
    assert len(compile_profile(own, 0).bindings) == len(compile_profile(profile, 0).bindings)


def test_names_of_devices_make_names_of_profiles():
    for name in ("", "   ", "Ärger 3000", "x" * 300, "a\x00b\n", "***", "new"):
        profile = parse_profile(new_profile(name, {"new", "new-2"}), "test")
        assert profile.name not in {"new", "new-2"}


def test_a_button_sets_a_fader_to_where_it_stands():
    control = CONTROLS["deck1.eq.low.gain"]
    entry = entry_for(control, NOTE, control.text(-6.0))
    text = with_entry(new_profile("Probe", set()), entry, NOTE)
    compiled, _ = bindings(text)
    assert np.allclose(compiled.bindings["x"], -6.0)

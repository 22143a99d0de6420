"""Profiles: parsed, expanded and compiled into tables."""

from __future__ import annotations

import numpy as np
import pytest

from sfa_engine.desk.scale import Scale
from sfa_engine.engine.command import Op
from sfa_engine.engine.intents import OPERATIONS
from sfa_engine.engine.layout import READING_INDEX, VALUE_INDEX
from sfa_engine.engine.midi import (
    Action,
    Encoding,
    Kind,
    LightKind,
    LightSource,
    StateRule,
    Takeover,
    key,
)
from sfa_engine.surfaces.midi.faults import ProfileError
from sfa_engine.surfaces.midi.profile import best_match, load_profiles, parse_profile
from sfa_engine.surfaces.midi.table import compile_profile

HEAD = 'name = "x"\ntitle = "X"\nsource = "none"\n'


def entry(*lines, head=""):
    """Return a profile of one control."""
    return HEAD + head + '[[control]]\nname = "a"\n' + "\n".join(lines) + "\n"


def table(text, slot=0):
    return compile_profile(parse_profile(text, "x.toml"), slot)


def layer(made, name):
    return next(each for each in made.layers if each.name == name)


def only(text):
    """Return the one binding of a profile."""
    bindings = table(text).bindings
    assert len(bindings) == 1
    return bindings[0]


def faults(text):
    with pytest.raises(ProfileError) as refused:
        parse_profile(text, "x.toml")
    return [fault.text("x.toml") for fault in refused.value.faults]


# ---------------------------------------------------------------- what a control is made for


@pytest.mark.parametrize(
    ("do", "message", "action", "encoding"),
    [
        ("deck1.play", "note = 1", Action.TOGGLE, Encoding.BUTTON),
        ("deck1.play", "cc = 1", Action.TOGGLE, Encoding.BUTTON),
        ("deck1.cue", "note = 1", Action.HOLD, Encoding.BUTTON),
        ("deck1.loop.halve", "note = 1", Action.PRESS, Encoding.BUTTON),
        ("deck1.sync", "note = 1", Action.CYCLE, Encoding.BUTTON),
        ("deck1.sync = beat", "note = 1", Action.TOGGLE, Encoding.BUTTON),
        ("deck1.fader", "cc = 1", Action.SET, Encoding.ABSOLUTE),
        ("deck1.fader", "pitch = true", Action.SET, Encoding.ABSOLUTE),
        ("deck1.fader", "nrpn = 1000", Action.SET, Encoding.ABSOLUTE),
        ("deck1.filter", 'cc = 1\nencoding = "twos"', Action.SET, Encoding.TWOS_COMPLEMENT),
        ("deck1.bend", 'cc = 1\nencoding = "offset64"', Action.BEND, Encoding.OFFSET_64),
        ("deck1.jump = 1", 'cc = 1\nencoding = "twos"', Action.PRESS, Encoding.TWOS_COMPLEMENT),
        (
            "deck1.sync",
            'cc = 1\nkind = "cycle"\nencoding = "sign"',
            Action.CYCLE,
            Encoding.SIGN_BIT,
        ),
        ("deck1.bend = 4", "note = 1", Action.HOLD, Encoding.BUTTON),
        ("deck1.tempo_fader", "cc = 1", Action.TEMPO_FADER, Encoding.ABSOLUTE),
        ("browse.selected", 'cc = 1\nencoding = "twos"', Action.STAGE, Encoding.TWOS_COMPLEMENT),
        ("session.lock", "note = 1", Action.STAGE, Encoding.BUTTON),
        ("deck1.load", "note = 1", Action.STAGE, Encoding.BUTTON),
    ],
)
def test_a_binding_does_what_its_control_is_made_for(do, message, action, encoding):
    binding = only(entry(message, f'do = "{do}"'))
    assert (binding["action"], binding["encoding"]) == (action, encoding)


def test_a_binding_carries_the_command_of_its_control():
    binding = only(entry("note = 5", "channel = 3", 'do = "deck2.play"'))
    made = OPERATIONS["deck2.play"]
    assert binding["key"] == key(0, Kind.NOTE, 2, 5)
    assert (binding["op"], binding["deck"]) == (Op["PLAY"], 1)
    assert binding["index"] == made.index == VALUE_INDEX["deck2.play"]


def test_a_fader_carries_its_scale_and_waits_to_be_picked_up():
    binding = only(entry("cc = 1", 'do = "deck1.fader"'))
    assert (binding["low"], binding["high"]) == (-60, 6)
    assert binding["takeover"] == Takeover.PICKUP
    assert (binding["start"], binding["end"]) == (0, 1)
    jumping = only(entry("cc = 1", 'do = "deck1.fader"', 'takeover = "jump"'))
    assert jumping["takeover"] == Takeover.JUMP


def test_range_and_invert_are_travel():
    text = entry("cc = 1", 'do = "crossfader"', "range = [-50, 100]", "invert = true")
    binding = only(text)
    assert binding["start"] == 1
    assert binding["end"] == pytest.approx(0.25)


def test_both_halves_of_a_pair_are_one_input():
    made = table(entry("cc14 = 3", 'do = "deck1.fader"'))
    assert [int(k) & 0x3FFF for k in made.bindings["key"]] == [3, 35]
    assert list(made.bindings["encoding"]) == [Encoding.MSB, Encoding.LSB]
    assert len(set(made.bindings["input"])) == 1
    assert len(made.actions) == 1


def test_a_press_sets_the_value_that_is_written():
    assert only(entry("note = 1", 'do = "deck1.jump = -16"'))["x"] == -16
    assert only(entry("note = 1", 'do = "deck1.jump"'))["x"] == 4
    assert only(entry("note = 1", 'do = "deck1.sync = beat"'))["x"] == 2
    assert only(entry("note = 1", 'do = "deck1.fader = off"'))["x"] == -60
    held = only(entry("note = 1", 'do = "deck1.bend = 4"'))
    assert (held["x"], held["rest"]) == (4, 0)
    kill = only(entry("note = 1", 'do = "deck1.eq.low.kill"', 'kind = "hold"'))
    assert (kill["x"], kill["rest"]) == (1, 0)


def test_a_button_steps_a_whole_number_and_nothing_else():
    made = table(entry("note = 1", 'kind = "step"', 'do = "browse.selected = -1"', "light = true"))
    assert (made.actions[0].kind, made.actions[0].value) == ("step", -1.0)
    for wrong, why in (
        ('"browse.selected"', "a step of None"),
        ('"browse.selected = 0"', "a step of '0'"),
        ('"browse.selected = x"', "a step of 'x'"),
        ('"deck1.fader = 1"', "cannot be bound with kind step"),
    ):
        (fault,) = faults(entry("note = 1", 'kind = "step"', f"do = {wrong}"))
        assert why in fault
    (fault,) = faults(
        entry(
            "pitch = true", 'kind = "step"', 'do = "browse.selected = 1"', 'encoding = "absolute"'
        )
    )
    assert "needs a button" in fault


def test_any_channel_is_one_binding_a_channel():
    made = table(entry("note = 1", 'channel = "any"', 'do = "deck1.play"'))
    assert len(made.bindings) == 16
    assert len(made.actions) == 1


# ---------------------------------------------------------------- rows


def test_a_row_has_one_control_an_item():
    text = HEAD + (
        '[[control]]\nname = "pad {n}"\nnote = [36, 40]\ndo = "deck1.hotcue{n+8}.press"\n'
        '[[control]]\nname = "mute {each}"\ncc = [1, 2]\neach = ["drums", "bass"]\n'
        'do = "deck1.stem.{each}.mute"\n'
    )
    made = table(text)
    assert made.inputs == ("pad 1", "pad 2", "mute drums", "mute bass")
    assert [action.path for action in made.actions] == [
        "deck1.hotcue9.press",
        "deck1.hotcue10.press",
        "deck1.stem.drums.mute",
        "deck1.stem.bass.mute",
    ]


def test_the_lists_of_a_row_are_of_one_length():
    (fault,) = faults(entry("note = [1, 2]", 'do = ["deck1.play"]'))
    assert fault.startswith('x.toml:4: the lists of "a" are not of one length: note 2, do 1')


# ---------------------------------------------------------------- layers


def test_the_focus_selects_the_deck():
    made = table(entry("note = 1", 'do = "deck{focus}.play"'))
    focus = layer(made, "focus")
    assert [action.path for action in made.actions] == ["deck1.play", "deck2.play"]
    assert set(made.bindings["mask"]) == {focus.mask}
    assert list(made.bindings["want"]) == [focus.bits("deck1"), focus.bits("deck2")]
    assert made.bindings["want"][0] == 0  # at the start


def test_what_names_no_state_gives_way_to_what_does():
    text = entry(
        "note = 1",
        'do = "deck1.play"',
        'bindings = [{ when = { bank = ["B", "C"] }, do = "deck1.reverse" }]',
        head='[layers]\nbank = ["A", "B", "C"]\n',
    )
    made = table(text)
    bank = layer(made, "bank")
    found = {
        (made.actions[row["number"]].path, int(row["want"]) & bank.mask) for row in made.bindings
    }
    assert found == {
        ("deck1.play", bank.bits("A")),
        ("deck1.reverse", bank.bits("B")),
        ("deck1.reverse", bank.bits("C")),
    }
    assert set(made.bindings["mask"]) == {bank.mask}


def test_a_shift_in_one_bank_leaves_the_others_alone():
    text = entry(
        "note = 1",
        'do = "deck1.play"',
        "bindings = [",
        '  { when = { bank = "A", shift = "on" }, do = "deck1.reverse" },',
        '  { when = { bank = "B" }, do = "deck1.pfl" },',
        "]",
        head='[layers]\nbank = ["A", "B"]\nshift = ["off", "on"]\n',
    )
    made = table(text)
    masks = {made.actions[row["number"]].path: int(row["mask"]) for row in made.bindings}
    assert masks["deck1.pfl"] == layer(made, "bank").mask
    assert masks["deck1.play"] == layer(made, "bank").mask | layer(made, "shift").mask


def test_a_button_changes_the_state():
    head = '[layers]\nshift = ["off", "on"]\nbank = ["A", "B", "C"]\n'
    shift = only(entry("note = 1", 'state = { shift = "on" }', head=head))
    assert (shift["action"], shift["state_rule"]) == (Action.STATE, StateRule.HOLD)
    assert shift["state_value"] == shift["state_mask"]
    bank = only(entry("note = 1", 'state = { bank = "C" }', head=head))
    assert bank["state_rule"] == StateRule.SET
    focus = only(entry("note = 1", 'state = { focus = "deck2" }', 'kind = "toggle"'))
    assert focus["state_rule"] == StateRule.TOGGLE


def test_63_bits_of_layers_fit_and_64_do_not():
    def layers(count):
        return "[layers]\n" + "".join(f'l{n} = ["a", "b"]\n' for n in range(count))

    made = table(entry("note = 1", 'do = "deck1.play"', 'when = { l61 = "b" }', head=layers(62)))
    assert made.bindings["mask"][0] == 1 << 62
    (fault,) = faults(entry("note = 1", 'do = "deck1.play"', head=layers(63)))
    assert "64 bits of 63" in fault


def test_layers_in_a_cycle_are_refused():
    text = HEAD + (
        '[layers]\na = ["off", "on"]\nb = ["off", "on"]\n'
        '[[control]]\nname = "1"\nnote = 1\nstate = { a = "on" }\nwhen = { b = "on" }\n'
        '[[control]]\nname = "2"\nnote = 2\nstate = { b = "on" }\nwhen = { a = "on" }\n'
    )
    (fault,) = faults(text)
    assert fault == (
        "x.toml:4: layers in a cycle: a needs b needs a; "
        "let one of them be entered from every state"
    )


def test_two_bindings_of_one_message_in_one_state_are_refused():
    text = HEAD + (
        '[[control]]\nname = "one"\nnote = 1\ndo = "deck1.play"\n'
        '[[control]]\nname = "two"\nnote = 1\ndo = "deck2.play"\n'
    )
    (fault,) = faults(text)
    assert fault.startswith('x.toml:11: "one" and "two" are both note 1 ch 1')


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["note = 1", 'do = "deck1.plya"'], 'no control "deck1.plya"; did you mean "deck1.play"'),
        (["note = 1", 'do = "deck3.load"'], 'x.toml:7: no deck "deck3.load"'),
        (["note = 1", 'do = "deck1.level"'], "x.toml:7: deck1.level can only be read"),
        (["note = 300", 'do = "deck1.play"'], "x.toml:6: note: expected int <= 127"),
        (["nte = 1"], 'x.toml:6: unknown key "nte"; did you mean "note"?'),
        (["note = 1", "cc = 2", 'do = "deck1.play"'], 'x.toml:4: "a" sends note and cc'),
        (['do = "deck1.play"'], 'x.toml:4: "a" sends no message'),
        (["note = 1", 'do = "deck1.fader"'], "x.toml:7: a note cannot set deck1.fader"),
        (["note = 1", 'do = "deck1.fader = 99"'], "x.toml:7: deck1.fader: 99 is out of range"),
        (["cc = 1", 'do = "deck1.play"', 'kind = "bend"'], "cannot be bound with kind bend"),
        (["note = 1", 'do = "deck{foucs}.play"'], "x.toml:7: {foucs} in"),
        (["note = 1", 'do = "deck1.play"', 'when = { bnk = "A" }'], 'no layer "bnk"'),
        (["note = 1", 'do = "deck1.play"', 'light = "pda"'], 'no light "pda"'),
        (["note = 1", 'do = "deck1.play"', 'light = { send = "1G" }'], 'x.toml:8: "1G" in a light'),
        (["cc14 = 100", 'do = "deck1.fader"'], 'the lower half of "a" is CC 132'),
        (["note = 1 2"], "x.toml:6: not TOML"),
    ],
)  # fmt: skip
def test_a_fault_says_line_and_remedy(lines, said):
    (fault,) = faults(entry(*lines))
    assert said in fault
    assert ";" in fault


def test_a_key_that_is_missing_is_named():
    assert faults("title = 'X'") == ["x.toml:1: missing required field name; see docs/profiles.md"]
    (fault,) = faults(f"{HEAD}[[control]]\nnote = 1\n")
    assert fault.startswith("x.toml:4: missing required field name")


def test_every_fault_is_told():
    text = HEAD + "".join(
        f'[[control]]\nname = "c{n}"\nnote = {n}\ndo = "deck1.nothing{n}"\n' for n in range(5)
    )
    assert [fault.split(":")[1] for fault in faults(text)] == ["7", "11", "15", "19", "23"]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(", "[[a]b]", "a*" * 9, "x" * 500, "(?P<n>a)(?P=n"])
def test_a_pattern_that_searches_for_long_is_refused(pattern):
    assert faults(f"{HEAD}match.port = '{pattern}'\n")


@pytest.mark.parametrize("message", ["", "F0 01", "01 02", "90 01", "90 01 80", "F0 F8 F7", "xx"])
def test_a_message_that_is_none_is_refused(message):
    assert faults(f'{HEAD}init = ["{message}"]\n')


def test_what_is_planned_is_left_out_until_it_is_built(planned):
    made = table(entry("cc = 1", f'do = "{planned}"'))
    assert (len(made.bindings), len(made.lights), len(made.actions)) == (0, 0, 0)


# ---------------------------------------------------------------- lights


def light_of(*lines, head=""):
    made = table(entry(*lines, head=head))
    assert len(made.lights) == 1
    return made.lights[0]


def test_the_light_of_a_switch_follows_it():
    light = light_of("note = 5", "channel = 2", 'do = "deck1.play"', "light = true")
    assert (light["kind"], light["source"]) == (LightKind.SWITCH, LightSource.VALUE)
    assert light["index"] == VALUE_INDEX["deck1.play"]
    assert light["low"] <= 1 <= light["high"]
    assert not light["low"] <= 0
    assert bytes(light["on"][: light["length"]]) == bytes([0x91, 5, 127])
    assert bytes(light["off"][: light["length"]]) == bytes([0x91, 5, 0])


def test_the_light_of_a_hot_cue_is_on_while_it_is_set():
    light = light_of("note = 5", 'do = "deck1.hotcue3.press"', "light = true")
    assert light["kind"] == LightKind.IS_SET
    assert light["index"] == VALUE_INDEX["deck1.hotcue3.position"]


def test_the_light_of_one_option_is_on_while_it_is_chosen():
    light = light_of("note = 5", 'do = "deck1.sync = tempo"', "light = true")
    assert light["index"] == VALUE_INDEX["deck1.sync"]
    assert [light["low"] <= value <= light["high"] for value in (0, 1, 2)] == [False, True, False]


def test_a_colour_comes_from_the_desk_and_is_dim_when_off():
    light = light_of(
        "note = 5",
        'do = "deck1.stem.drums.mute"',
        'light = { send = "F0 47 {i} {r} {g} {b} F7", on = "desk", off = "dim" }',
    )
    assert bytes(light["on"][:7]) == bytes([0xF0, 0x47, 0, 0xFF >> 1, 0x5A >> 1, 0x2E >> 1, 0xF7])
    assert bytes(light["off"][:7]) == bytes([0xF0, 0x47, 0, 42 >> 1, 15 >> 1, 7 >> 1, 0xF7])


def test_a_meter_has_its_byte_set():
    light = light_of('light = { send = "B0 39 {value}", shows = "master.level" }')
    assert (light["kind"], light["source"]) == (LightKind.METER, LightSource.READING)
    assert (light["index"], light["level_at"]) == (READING_INDEX["master.level"], 2)


def test_the_light_of_a_layer_is_on_in_its_state():
    head = '[layers]\nbank = ["A", "B", "C"]\n'
    light = light_of("note = 5", 'state = { bank = "C" }', "light = true", head=head)
    assert light["kind"] == LightKind.STATE
    assert light["want"] & light["mask"] == light["want"] != 0


def test_a_light_is_put_out_where_its_control_does_nothing():
    text = entry(
        "note = 5",
        'when = { bank = "A" }',
        'do = "deck1.play"',
        "light = true",
        head='[layers]\nbank = ["A", "B"]\n',
    )
    made = table(text)
    bank = layer(made, "bank")
    dark = made.lights[made.lights["want"] == bank.bits("B")]
    assert len(dark) == 1
    assert not dark["low"][0] <= 1
    assert bytes(dark["off"][0][:3]) == bytes([0x90, 5, 0])


# ---------------------------------------------------------------- files


def test_a_users_profile_overrides_the_built_in_one(tmp_path):
    (tmp_path / "mine.toml").write_text(entry("note = 1").replace('"x"', '"generic"', 1))
    (tmp_path / "broken.toml").write_text("nothing")
    assert load_profiles(tmp_path)["generic"].title == "X"
    assert load_profiles()["generic"].title != "X"


def test_a_port_gets_the_longest_match_and_else_the_fallback():
    profiles = load_profiles()
    found = best_match(profiles, "  DDJ-400 MIDI 1   ")
    assert found is not None
    assert found.name == "ddj-400"
    other = best_match(profiles, "Something else")
    assert other is not None
    assert other.name == "generic"


def test_a_number_of_any_travel_is_in_the_range_of_its_scale():
    made = table(entry("cc = 1", 'do = "deck1.trim"'))
    (row,) = made.bindings
    scale = Scale("dB", row["low"], row["high"], 0, taper="centred")
    assert scale.value(0.5) == pytest.approx(0)
    assert np.isfinite(row["start"])


# ---------------------------------------------------------------- colours of hot cues


PAD = 'kind = "press"\ndo = "deck1.hotcue3.press"\nnote = 40'
RGB = 'light = { send = "F0 01 {r} {g} {b} F7", on = "desk", off = "dim" }'


def lit(hues, *lines):
    """Return the messages of the only lamp, lit and not."""
    profile = parse_profile(entry(PAD, *lines), "x.toml")
    (light,) = compile_profile(profile, 0, hues=hues).lights
    return tuple(bytes(light[name][: light["length"]]) for name in ("on", "off"))


def test_the_lamp_of_a_hot_cue_has_its_colour_and_is_dim_without_a_cue_as_before():
    plain, coloured = lit({}, RGB), lit({"deck1.hotcue3": "#ff8002"}, RGB)
    assert coloured[0] == bytes([0xF0, 1, 0x7F, 0x40, 0x01, 0xF7])
    assert coloured[1] == plain[1]
    assert plain[0] != coloured[0]


def test_the_colour_of_another_cue_and_a_colour_of_the_profile_change_nothing():
    own = RGB.replace("desk", "#102030")
    assert lit({"deck1.hotcue30": "#ff8002", "deck2.hotcue3": "#ff8002"}, RGB) == lit({}, RGB)
    assert lit({"deck1.hotcue3": "#ff8002"}, own) == lit({}, own)


def test_a_pad_with_a_palette_has_the_nearest_of_its_colours():
    light = 'light = { send = "note", on = "desk", off = 0 }'
    palette = "[palette]\nneutral = 3\nvocals = 13\nbass = 45\n"
    profile = parse_profile(entry(PAD, light, head=palette), "x.toml")
    for hue, number in (("#ffe000", 13), ("#1060ff", 45), ("", 3)):
        (found,) = compile_profile(profile, 0, hues={"deck1.hotcue3": hue}).lights
        assert found["on"][2] == number


def test_a_text_that_may_be_set_is_nothing_for_a_controller():
    (fault,) = faults(entry('do = "deck1.hotcue3.label"', "note = 40"))
    assert "deck1.hotcue3.label can only be read" in fault


# ---------------------------------------------------------------- pads of the sampler


def test_a_pad_is_hit_with_its_force_and_released():
    row = only(entry("note = 36", "channel = 10", 'do = "pad5.hit"'))
    assert (row["op"], row["target"]) == (Op["PAD_HIT"], 4)
    assert (row["action"], row["by_velocity"]) == (Action.HOLD, 1)
    assert (row["low"], row["high"], row["rest"]) == (0.0, 127.0, 0.0)


def test_the_lamp_of_a_pad_shows_that_it_sounds_in_its_colour():
    head = '[lights.pad]\nsend = "F0 {number} {r} {g} {b} F7"\non = "desk"\noff = "dim"\n'
    text = entry("note = 36", "channel = 10", 'light = "pad"', 'do = "pad5.hit"', head=head)
    profile = parse_profile(text, "x.toml")
    (lamp,) = compile_profile(profile, 0, hues={"pad5": "#ff0000"}).lights
    assert (lamp["source"], lamp["index"]) == (LightSource.READING, READING_INDEX["pad5.playing"])
    assert lamp["on"][2:5].tolist() == [127, 0, 0]

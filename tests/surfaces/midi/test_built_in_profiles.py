"""The profiles that are built in, and what is derived from them."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sfa_engine.desk import CONTROLS, Button, Choice, Fader, Text
from sfa_engine.engine.midi import BINDINGS, LIGHTS, SHORT, Action
from sfa_engine.surfaces.midi.document import schema
from sfa_engine.surfaces.midi.mapping import rows
from sfa_engine.surfaces.midi.picture import HEIGHT, WIDTH, Box, page, save, to_svg
from sfa_engine.surfaces.midi.profile import BUILT_IN, best_match, load_profiles, parse_profile
from sfa_engine.surfaces.midi.table import compile_profile

ROOT = Path(__file__).parents[3]
FILES = sorted(BUILT_IN.glob("*.toml"))
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@cache
def parsed(file):
    return parse_profile(file.read_text(), file.name)


@each_file
def test_a_profile_compiles_and_is_called_as_its_file(file):
    profile = parsed(file)
    made = compile_profile(profile, 3)
    assert profile.name == file.stem
    assert 0 < len(made.bindings) <= BINDINGS // 4
    assert len(made.lights) <= LIGHTS // 4
    assert all(0 < length <= SHORT for length in made.lights["length"])
    assert set(made.bindings["slot"]) == {3}
    assert set(made.bindings["number"]) == set(range(len(made.actions)))


@each_file
def test_a_profile_has_a_source_for_each_control(file):
    document = tomllib.loads(file.read_text())
    assert document["notes"].strip()
    for row in rows(parsed(file)):
        assert row.source


@each_file
def test_no_message_does_two_things_in_one_state(file):
    # But the parts of one binding. The parser sees to it; here it is looked at in the table.
    profile = parsed(file)
    built = [each for each in profile.assignments if each.kind != "light" and not each.is_planned]
    chords = [each.chord for each in built]
    by_key = {}
    for row in compile_profile(profile, 0).bindings:
        by_key.setdefault(int(row["key"]), []).append(row)
    for same in by_key.values():
        for number, one in enumerate(same):
            for other in same[:number]:
                apart = one["mask"] & other["mask"] & (one["want"] ^ other["want"])
                assert apart or chords[one["number"]] == chords[other["number"]]


@each_file
def test_the_head_of_a_file_says_what_the_whole_does(file):
    whole = parsed(file)
    head = load_profiles()[file.stem]
    for name in ("name", "title", "port", "fallback", "identity", "init", "shutdown"):
        assert getattr(head, name) == getattr(whole, name)


@each_file
def test_every_state_of_a_layer_can_be_entered(file):
    profile = parsed(file)
    changed = 0
    for each in profile.assignments:
        changed |= each.change.mask
    used = 0
    for each in profile.assignments:
        used |= each.force.mask
    assert used & ~changed == 0, "nothing changes a layer that something is bound in"


@pytest.mark.parametrize(
    ("port", "name"),
    [
        ("MPC Studio mk2 MPC Studio mk2 Public", "mpc-studio-mk2"),
        ("MPC Studio Controller Public  ", "mpc-studio-mk2"),
        ("MPC Studio Black MIDI 1", "mpc-studio-black"),
        ("MPC One MPC One Public", "mpc-standalone"),
        ("MPC Live II Public", "mpc-standalone"),
        ("Akai Pro Force Public", "mpc-force"),
        ("MPC Beats", "mpc-software"),
        ("iMPC Pro 2", "mpc-software"),
        ("MPD218 MIDI 1", "mpd218"),
        ("LPD8 MIDI 1", "lpd8"),
        ("DDJ-400 MIDI 1", "ddj-400"),
        ("DDJ-FLX4 MIDI 1", "ddj-flx4"),
        ("APC mini mk2 Control", "apc-mini-mk2"),
        ("APC MINI MIDI 1", "apc-mini"),
        ("APC40 mkII", "apc40-mk2"),
        ("Launch Control XL MIDI 1", "launch-control-xl"),
        ("Launchpad Mini MK3 LPMiniMK3 MI", "launchpad-mini-mk3"),
        ("Launchpad X LPX MIDI In", "launchpad-x"),
        ("Launchpad MK2", "launchpad-mk2"),
        ("DJControl Inpulse 300 MIDI 1", "inpulse-300"),
        ("DJControl Inpulse 200", "inpulse-200"),
        ("Mixtrack Pro FX", "mixtrack-pro-fx"),
        ("MPKmini2", "mpk-mini-mk2"),
        ("MPK mini 3", "mpk-mini-mk2"),
        ("Some Keyboard", "generic"),
    ],
)
def test_a_port_finds_its_profile(port, name):
    found = best_match(load_profiles(), port)
    assert found is not None
    assert found.name == name


def test_a_second_port_of_a_controller_is_not_taken_for_it():
    profiles = load_profiles()
    for port in ("MPC Studio mk2 Private", "Launchpad Mini MK3 LPMiniMK3 DA"):
        found = best_match(profiles, port)
        assert found is not None
        assert found.name == "generic"


@pytest.mark.parametrize(
    ("model", "name"), [("4A", "mpc-studio-mk2"), ("40", "mpc-force"), ("3B", "mpc-standalone")]
)
def test_an_mpc_is_known_by_its_identity(model, name):
    reply = bytes.fromhex(f"F07E00060247{model}001900000000F7")
    assert [p.name for p in load_profiles().values() if p.is_identity(reply)] == [name]


# ---------------------------------------------------------------- every control


def entry_of(control):
    """Return an entry that binds a control by what it is made for."""
    head = '[[control]]\nname = "it"\n'
    if isinstance(control, Fader) and control.momentary:
        return f'{head}cc = 1\nencoding = "offset64"\ndo = "{control.path}"\n'
    if isinstance(control, Fader):
        return f'{head}cc14 = 1\ndo = "{control.path}"\n'
    return f'{head}note = 1\ndo = "{control.path}"\nlight = true\n'


SETTABLE = [
    control
    for control in CONTROLS.values()
    if (control.settable and not isinstance(control, Text)) or isinstance(control, Button)
]


@pytest.mark.slow
def test_every_control_of_the_desk_can_be_bound():
    for control in SETTABLE:
        profile = parse_profile(f'name = "x"\ntitle = "X"\n{entry_of(control)}', "x")
        made = compile_profile(profile, 0)
        if control.planned:
            assert len(made.bindings) == 0, control.path
            continue
        assert len(made.bindings) == (2 if "cc14" in entry_of(control) else 1), control.path
        assert {action.path for action in made.actions} == {control.path}
        owned = made.bindings["action"][0] != Action.STAGE
        by_rate = control.path.endswith(".tempo_fader")
        assert owned == (control.owner == "engine" or by_rate), control.path
        if isinstance(control, Choice):
            assert made.bindings["options"][0] == len(control.options)


@pytest.mark.slow
def test_what_is_planned_works_by_itself_once_it_is_built():
    program = """
import sys
import sfa_engine.desk as desk
for control in desk.CONTROLS.values():
    object.__setattr__(control, "planned", False)
sys.path.insert(0, sys.argv[1])
from test_built_in_profiles import SETTABLE, entry_of
from sfa_engine.surfaces.midi.profile import load_profiles, parse_profile
from sfa_engine.surfaces.midi.table import compile_profile
for control in SETTABLE:
    text = f'name = "x"\\ntitle = "X"\\n{entry_of(control)}'
    made = compile_profile(parse_profile(text, "x"), 0)
    assert {action.path for action in made.actions} == {control.path}, control.path
for profile in load_profiles().values():
    made = compile_profile(profile, 0)
    assert len(made.actions) == sum(each.kind != "light" for each in profile.assignments)
print(len(SETTABLE))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(SETTABLE)


# ---------------------------------------------------------------- schema, documents, package


def test_the_schema_beside_the_profiles_is_that_of_the_code():
    """`python -m sfa_engine.surfaces.midi.document > profiles/schema.json` writes it."""
    assert json.loads((ROOT / "profiles/schema.json").read_text()) == schema()


def test_the_profiles_are_a_folder_of_the_checkout():
    assert BUILT_IN == ROOT / "profiles"


@pytest.mark.nightly
def test_a_wheel_has_the_profiles(tmp_path):
    words = ["-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q", "-w", tmp_path]
    subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert sum("/data/share/sfa/profiles/" in name for name in names) == len(FILES)


# ---------------------------------------------------------------- pictures


@each_file
def test_a_picture_is_one_page(file):
    shapes = page(parsed(file))
    for shape in shapes:
        assert -1 <= shape.x <= WIDTH + 1
        assert -1 <= shape.y <= HEIGHT + 1
        if isinstance(shape, Box):
            assert shape.x + shape.width <= WIDTH + 1
            assert shape.y + shape.height <= HEIGHT + 1
    assert to_svg(shapes).startswith("<svg ")


def test_a_picture_says_what_each_pad_does(tmp_path):
    profile = parsed(BUILT_IN / "mpc-studio-mk2.toml")
    save(profile, tmp_path / "pad.svg")
    svg = (tmp_path / "pad.svg").read_text()
    for words in ("CUE 16", "DRUMS MUTE", "JUMP +4", "A + erase", "note 37 ch 10"):
        assert words in svg


@pytest.mark.slow
def test_a_png_is_the_same_page(tmp_path):
    image = pytest.importorskip("PIL.Image")
    save(parsed(BUILT_IN / "lpd8.toml"), tmp_path / "lpd8.png")
    with image.open(tmp_path / "lpd8.png") as picture:
        assert picture.size == (round(WIDTH * 3), round(HEIGHT * 3))
        assert picture.getextrema() != ((255, 255),) * 3


@pytest.mark.parametrize("title", ["<&>\"'", "a\\u0000\\u001b[31mb", "{}", "𐀀", "x" * 60])
def test_a_picture_of_any_name_is_xml(title):
    title = title.replace('"', '\\"')
    text = f'name = "x"\ntitle = "{title}"\n[[control]]\nname = "{title}"\nnote = 1\n'
    profile = parse_profile(text + 'do = "deck1.play"\n', "x")
    ET.fromstring(to_svg(page(profile)))  # noqa: S314 - we wrote it ourselves


def test_the_picture_in_the_documents_is_of_this_profile():
    """`sfa midi map mpc-studio-mk2 -o docs/images/mpc-studio-mk2.svg` draws it."""
    profile = parsed(BUILT_IN / "mpc-studio-mk2.toml")
    assert (ROOT / "docs/images/mpc-studio-mk2.svg").read_text() == to_svg(page(profile))


def test_the_example_of_the_documents_is_a_profile():
    text = (ROOT / "docs/profiles.md").read_text()
    example = text.partition("```toml\n")[2].partition("```")[0]
    made = compile_profile(parse_profile(example, "example"), 0)
    assert "fader 4" in made.inputs

"""How many decks there are: from one place, and everything is derived from it."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from sfa_engine.errors import Refused
from sfa_engine.run.deck_setting import export_decks
from sfa_engine.system.deck_count import deck_count

FOUR = """
from sfa_engine.desk import CONTROLS, DECK_NAMES, DECKS, DESK
from sfa_engine.engine import layout
from sfa_engine.engine.command import ClockSource
from sfa_engine.engine.intents import Moment, OPERATIONS, deck_of
from sfa_engine.surfaces.midi.profile import BUILT_IN, parse_profile
from sfa_engine.surfaces.midi.table import compile_profile
from sfa_engine.surfaces.osc.address import address_of

assert DECKS == layout.DECKS == len(DESK.deck) == 4
assert DECK_NAMES == ("deck1", "deck2", "deck3", "deck4")
# One on each deck, one more that fades out or is loaded.
assert layout.SLOTS >= 2 * DECKS
for path in layout.VALUE_PATHS:
    if path.startswith("deck1."):
        for number in range(2, DECKS + 1):
            other = path.replace("deck1", f"deck{number}", 1)
            stride = layout.VALUE_INDEX[other] - layout.VALUE_INDEX[path]
            assert stride == (number - 1) * layout.DECK_STRIDE, other
assert deck_of("deck4.play") == OPERATIONS["deck4.play"].deck == 3
assert Moment.parse("phrase deck4").text() == "phrase deck4"
options = CONTROLS["clock.source"].options
assert [options[source] for source in (ClockSource.LEADER, ClockSource.MIDI, ClockSource.LINK)] == [
    "leader", "midi", "link"
]
assert CONTROLS["session.focus"].options == DECK_NAMES
assert address_of("deck4.stem.vocals.mute") == "/deck4/stem/vocals/mute"
for file in sorted(BUILT_IN.glob("*.toml")):
    table = compile_profile(parse_profile(file.read_text(), file.name), 0)
    assert len(table.bindings) <= 4096 and len(table.lights) <= 2048, file
print("fine")
"""


def run(program: str, decks: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SFA_DECKS": decks}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_all_that_is_derived_from_the_desk_has_four_decks():
    done = run(FOUR, "4")
    assert (done.stdout, done.stderr) == ("fine\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("tablet", ["ipad", "phone"])
@pytest.mark.parametrize("decks", ["3", "4"])
def test_a_layout_has_the_controls_of_every_deck(tablet, decks, tmp_path):
    file = tmp_path / "made.tosc"
    words = ["layout", "touchosc", "-o", str(file), "--tablet", tablet]
    done = subprocess.run(
        [sys.executable, "-m", "sfa_engine.cli.main", *words],
        env={**os.environ, "SFA_DECKS": decks},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    text = zlib.decompress(file.read_bytes()).decode()
    for number in range(1, int(decks) + 1):
        for leaf in ("play", "fader", "crossfader", "loop/beatloop", "stem/vocals/mute"):
            address = "/crossfader" if leaf == "crossfader" else f"/deck{number}/{leaf}"
            assert address in text, address
    assert f"/deck{int(decks) + 1}/" not in text


@pytest.mark.parametrize("given", ["1", "5", "two", "2.0", "-2", "٣"])
def test_another_number_is_refused_with_what_to_give(given, monkeypatch):
    monkeypatch.setenv("SFA_DECKS", given)
    with pytest.raises(Refused, match=r"SFA_DECKS is '.*'; give a whole number from 2 to 4"):
        deck_count()


@pytest.mark.parametrize(("given", "count"), [("", 2), (" ", 2), ("2", 2), ("3", 3), (" 4 ", 4)])
def test_a_number_in_range_is_taken(given, count, monkeypatch):
    monkeypatch.setenv("SFA_DECKS", given)
    assert deck_count() == count


@pytest.mark.parametrize(
    ("text", "exported"),
    [
        ("[engine]\ndecks = 4\n", "4"),
        ("[engine]\ndecks = 7\n", None),  # `load_config` refuses it, with the file's name
        ("[engine]\ndecks = true\n", None),
        ('[engine]\ndecks = "4"\n', None),
        ("engine = 4\n# decks\n", None),
        ("[engine\ndecks = 4\n", None),
        ("[audio]\nblock = 128\n", None),
        ("decks = \udcff", None),
    ],
)
def test_the_configuration_is_put_into_the_environment(text, exported, tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    monkeypatch.setenv("SFA_CONFIG", str(file))
    monkeypatch.setenv("SFA_DECKS", "2")  # so that what is exported goes again
    monkeypatch.delenv("SFA_DECKS")
    export_decks()
    assert os.environ.get("SFA_DECKS") == exported


def test_the_environment_comes_before_the_configuration(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    file.write_text("[engine]\ndecks = 4\n")
    monkeypatch.setenv("SFA_CONFIG", str(file))
    monkeypatch.setenv("SFA_DECKS", "3")
    export_decks()
    assert os.environ["SFA_DECKS"] == "3"


@pytest.mark.slow
@pytest.mark.parametrize("words", [["describe"], ["start"]])
def test_a_command_refuses_another_number_in_one_line(words):
    done = subprocess.run(
        [sys.executable, "-m", "sfa_engine.cli.main", *words],
        env={**os.environ, "SFA_DECKS": "5"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "sfa: SFA_DECKS is '5'; give a whole number from 2 to 4\n"


@pytest.mark.nightly
def test_the_rules_of_layouts_hold_for_four_decks():
    # On a phone the names of its tabs are cut off.
    rules = "(finger or have_room or one_of_the_desk or within_its_page or lies_over) and not tabs"
    words = ["-q", "-p", "no:cacheprovider", "tests/surfaces/test_touchosc_layout.py", "-k", rules]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        env={**os.environ, "SFA_DECKS": "4"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout

"""Presets on a running engine: saved, recalled by name, number and control, now and at a moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine_process import Show, until
from quiet_track import bundle_of, call

from sfa_engine.errors import Refused

pytestmark = pytest.mark.slow


@pytest.fixture
def engine(quiet_engine: Show) -> Show:
    """An engine with a track at 120 BPM on deck 1."""
    return quiet_engine


def value(engine: Show, path: str) -> Any:
    return call(engine, "get", path=path)["value"]


def set_all(engine: Show, **values: Any) -> None:
    for path, given in values.items():
        call(engine, "set", path=path.replace("__", "."), value=given, wait=True)


def test_a_part_of_the_desk_is_saved_and_recalled(engine: Show) -> None:
    set_all(engine, deck1__trim=-3.0, deck1__eq__low__kill=True, crossfader_curve="power")
    set_all(engine, fx1__slot1__kind="echo", fx1__slot1__param_b=80.0, deck2__trim=-9.0)
    patterns = ["deck1.trim", "deck1.eq", "crossfader_curve", "fx1"]
    saved = call(engine, "preset.save", name="verse", patterns=patterns, program=5)
    file = Path(saved["path"])
    assert json.loads(file.read_text())["values"]["crossfader_curve"] == "power"
    set_all(engine, deck1__trim=0.0, deck1__eq__low__kill=False, crossfader_curve="linear")
    set_all(engine, fx1__slot1__kind="reverb", deck2__trim=0.0)
    said = call(engine, "preset.recall", name="verse")
    assert (said["controls"], said["left_out"]) == (saved["controls"], [])
    until(lambda: value(engine, "fx1.slot1.param_b") == 80.0, "the last value")
    assert value(engine, "deck1.trim") == -3.0
    assert value(engine, "deck1.eq.low.kill") == 1.0
    assert value(engine, "crossfader_curve") == 1.0
    assert value(engine, "fx1.slot1.kind") == 1.0
    assert value(engine, "deck2.trim") == 0.0  # not of the preset
    assert value(engine, "preset.name") == "verse"


def test_a_control_recalls_by_number_and_waits_as_it_is_set_to(engine: Show) -> None:
    set_all(engine, deck1__trim=-4.0)
    call(engine, "preset.save", name="one", patterns=["deck1.trim"], program=1)
    set_all(engine, deck1__trim=0.0)
    call(engine, "press", path="preset.recall", value=1)
    until(lambda: value(engine, "deck1.trim") == -4.0, "the recall")
    set_all(engine, deck1__trim=0.0, preset__at="bar", clock__tempo=60.0)
    call(engine, "press", path="preset.recall", value=1)
    (waiting,) = call(engine, "commands.waiting")
    assert (waiting["path"], waiting["when"]) == ("deck1.trim", "bar")
    call(engine, "commands.cancel")
    assert value(engine, "deck1.trim") == 0.0
    with pytest.raises(Refused, match="no preset has program 9"):
        call(engine, "press", path="preset.recall", value=9)


def test_the_whole_desk_fits_at_a_bar_and_what_does_not_says_so(engine: Show) -> None:
    call(engine, "preset.save", name="desk")
    set_all(engine, master__loudness=-18.0)
    said = call(engine, "preset.recall", name="desk", when="bar")
    assert [each["path"] for each in said["left_out"]] == ["master.loudness"]
    assert len(call(engine, "commands.waiting")) > 200
    call(engine, "commands.cancel")
    count = call(engine, "preset.save", name="pads", patterns=["pad"])["controls"]
    with pytest.raises(Refused, match=f"{count} controls cannot wait for a moment"):
        call(engine, "preset.recall", name="pads", when="bar")
    assert call(engine, "preset.recall", name="pads")["controls"] == count > 448


def test_a_deck_that_was_in_sync_has_the_rate_of_the_preset(engine: Show) -> None:
    set_all(engine, deck1__rate=1.02)
    patterns = ["deck1.rate", "deck1.sync"]
    call(engine, "preset.save", name="own", patterns=patterns)
    call(engine, "deck.load", deck=2, path=str(bundle_of(engine)))
    set_all(engine, deck2__rate=1.05, deck2__leader=True, deck1__sync="tempo")
    until(lambda: value(engine, "deck1.rate") == pytest.approx(1.05), "the followed tempo")
    call(engine, "preset.recall", name="own")
    until(lambda: value(engine, "deck1.sync") == 0.0, "the end of sync")
    assert value(engine, "deck1.rate") == pytest.approx(1.02)


def test_controls_that_are_gone_are_left_out_and_named(engine: Show) -> None:
    set_all(engine, deck1__trim=-5.0)
    saved = call(engine, "preset.save", name="old", patterns=["deck1.trim"])
    file = Path(saved["path"])
    preset = json.loads(file.read_text())
    preset["values"] |= {"deck1.tube": 3.0, "deck1.eq.low.gain": 500}
    file.write_text(json.dumps(preset))
    set_all(engine, deck1__trim=0.0)
    said = call(engine, "preset.recall", name="old")
    assert [each["path"] for each in said["left_out"]] == ["deck1.tube", "deck1.eq.low.gain"]
    until(lambda: value(engine, "deck1.trim") == -5.0, "the rest")
    log = engine.runtime / "state" / "sfa" / "log" / "stage.log"
    assert "old was recalled without deck1.tube, deck1.eq.low.gain" in log.read_text()


def test_what_is_wrong_is_one_clear_line(engine: Show) -> None:
    for method, given, sentence in (
        ("preset.save", {"name": "../x"}, "name"),
        ("preset.save", {"name": "x", "patterns": ["dekc1"]}, "no control matches"),
        ("preset.save", {"name": "x", "program": 200}, "program"),
        ("preset.recall", {"name": "../x"}, "name is"),
        ("preset.recall", {"name": "/etc/x"}, "name is"),
        ("preset.recall", {}, "one of name and program"),
        ("preset.recall", {"name": "none"}, 'no preset "none"'),
        ("preset.recall", {"name": "none", "when": "later"}, "not a moment"),
    ):
        with pytest.raises(Refused, match=sentence):
            call(engine, method, **given)


def test_the_command_line_saves_recalls_lists_shows_and_removes(engine: Show) -> None:
    def sfa(*words: str) -> tuple[str, str]:
        status, out, err = engine.command("preset", *words)
        assert status == 0, err
        return out, err

    set_all(engine, deck1__trim=-2.0)
    out, _ = sfa("save", "mine", "deck1.trim", "deck1.eq.*.kill", "--program", "7")
    assert out.startswith("mine: 4 controls, program 7, ")
    file = Path(out.split(", ")[-1].strip())
    preset = json.loads(file.read_text())
    preset["values"]["deck1.tube"] = 1.0
    file.write_text(json.dumps(preset))
    set_all(engine, deck1__trim=0.0)
    out, err = sfa("recall", "mine")
    assert (out, err) == (
        "mine: 4 controls\n",
        "without deck1.tube: there is no such control any more\n",
    )
    assert value(engine, "deck1.trim") == -2.0
    assert sfa("recall", "mine", "--at", "bar")[0] == "mine: 4 controls at the next bar\n"
    assert sfa("list")[0] == "mine: 5 controls, program 7\n"
    shown = sfa("show", "mine")[0]
    assert "deck1.trim  -2.0 dB\n" in shown
    assert "deck1.tube  1.0  (not recalled: " in shown
    assert sfa("remove", "mine")[0] == "mine: removed\n"
    status, _, err = engine.command("preset", "recall", "mine")
    assert (status, err.startswith('sfa: no preset "mine"')) == (1, True)

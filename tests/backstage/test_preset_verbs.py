"""Presets are saved whole, listed, found by name and program number, and removed."""

import asyncio
import json

import msgspec
import pytest

from sfa_engine.backstage.verbs.presets import PresetVerbs
from sfa_engine.errors import LibraryError, Refused
from sfa_engine.stage.presets import Presets
from sfa_engine.wire.verbs import Verb

VALUES = {"deck1.trim": -3.0, "crossfader_curve": "power", "deck1.eq.low.kill": True}
PRESET = {"version": 1, "program": None, "values": VALUES}


@pytest.fixture
def verbs(tmp_path):
    return PresetVerbs(tmp_path)


def save(verbs, name, **more):
    return asyncio.run(verbs.presets_save(name, {**PRESET, **more}))


def test_a_preset_is_saved_readable_found_listed_and_removed(verbs, tmp_path):
    assert asyncio.run(verbs.presets_list())["presets"] == []
    said = save(verbs, "verse", program=5)
    file = tmp_path / "presets" / "verse.json"
    assert said == {"path": str(file), "program": 5}
    assert json.loads(file.read_text()) == {**PRESET, "program": 5}
    for given in ({"name": "verse"}, {"program": 5}):
        found = asyncio.run(verbs.presets_get(**given))
        assert (found["name"], found["preset"]["values"], found["left_out"]) == (
            *("verse", VALUES, []),
        )
    row = {"name": "verse", "program": 5, "controls": 3}
    assert asyncio.run(verbs.presets_list())["presets"] == [row]
    asyncio.run(verbs.presets_remove("verse"))
    for verb in (verbs.presets_remove, verbs.presets_get):
        with pytest.raises(Refused, match='no preset "verse"'):
            asyncio.run(verb("verse"))


def test_a_preset_keeps_its_number_and_no_other_gets_it(verbs):
    save(verbs, "verse", program=5)
    assert save(verbs, "verse")["program"] == 5
    with pytest.raises(Refused, match='program 5 is that of preset "verse"'):
        save(verbs, "chorus", program=5)
    assert save(verbs, "verse", program=6)["program"] == 6
    assert save(verbs, "chorus", program=5)["program"] == 5
    assert save(verbs, "bridge")["program"] is None
    assert save(verbs, "outro")["program"] is None
    with pytest.raises(Refused, match="no preset has program 7"):
        asyncio.run(verbs.presets_get(program=7))


@pytest.mark.parametrize("name", ["../x", "/etc/x", "", ".x"])
@pytest.mark.parametrize("verb", [PresetVerbs.presets_get, Presets.preset_recall])
def test_a_name_leads_to_no_other_folder(verb, name):
    parse = Verb("verb", verb).parse
    with pytest.raises(Refused, match="name is"):
        parse(msgspec.msgpack.encode({"name": name}))
    assert parse(msgspec.msgpack.encode({"name": "verse"}))["name"] == "verse"


def test_a_preset_has_a_name_or_a_program(verbs):
    with pytest.raises(Refused, match="one of name and program"):
        asyncio.run(verbs.presets_get())


def test_a_file_of_another_desk_is_kept_and_says_what_is_not_recalled(verbs):
    save(verbs, "old", values={**VALUES, "deck1.gone": 1.0})
    found = asyncio.run(verbs.presets_get("old"))
    assert [each["path"] for each in found["left_out"]] == ["deck1.gone"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"x" * 600_000, b"[]"])
def test_a_damaged_file_is_told_with_its_path_and_the_others_work(verbs, tmp_path, content):
    save(verbs, "good", program=1)
    (tmp_path / "presets" / "bad.json").write_bytes(content)
    with pytest.raises(Refused, match=r"bad\.json"):
        asyncio.run(verbs.presets_get("bad"))
    rows = asyncio.run(verbs.presets_list())["presets"]
    assert [("error" in row, row["name"]) for row in rows] == [(True, "bad"), (False, "good")]
    assert asyncio.run(verbs.presets_get(program=1))["name"] == "good"


def test_what_is_no_preset_is_refused_and_nothing_is_written(verbs, tmp_path):
    with pytest.raises(Refused, match="values"):
        save(verbs, "mine", values={})
    assert not (tmp_path / "presets").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "presets").write_text("a file")
    with pytest.raises(LibraryError, match="presets"):
        save(PresetVerbs(tmp_path), "mine")

"""What tools share: text of strangers, schemas, sizes. And what no prompt may hold."""

from __future__ import annotations

import asyncio
import os
import re
import unicodedata
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sfa_engine.agents
from sfa_engine.agents.tools.all import TOOLS
from sfa_engine.agents.tools.answer import MAX_BYTES, TrackRow, fitted
from sfa_engine.agents.tools.facts import neighbours_of
from sfa_engine.agents.tools.mixes import vetoes_of
from sfa_engine.agents.tools.schema import json_schema
from sfa_engine.agents.tools.search import Found
from sfa_engine.agents.tools.text import MAX_CHARACTERS, clean
from sfa_engine.backstage.mixes import store
from sfa_engine.backstage.mixes.store import DraftStore
from sfa_engine.mix.document import Plan
from sfa_engine.track.key import KEYS, camelot, distance

INVISIBLE = "\x00\x1b\x7f\x9f\u200b\u200e\u202e\u2066\u2069\ufeff\u00ad\U000e0041\u3164\ud800"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (f"a{INVISIBLE}b", "ab"),
        ("two\nlines\r\n\tand \u2028more\u2029", "two lines and more"),
        ("Grüße 夜に駆ける - “8A”", "Grüße 夜に駆ける - “8A”"),
        (None, ""),
        ("x" * 500, "x" * (MAX_CHARACTERS - 1) + "…"),
        ("  ", ""),
    ],
)
def test_text_of_strangers_is_one_short_visible_line(text: str | None, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text(alphabet=st.characters(), max_size=400))
def test_no_text_keeps_a_character_that_cannot_be_seen(text: str) -> None:
    found = clean(text)
    assert len(found) <= MAX_CHARACTERS
    assert all(unicodedata.category(each)[0] != "C" for each in found)
    assert clean(found) == found


def test_there_are_fifteen_tools_and_each_says_in_a_sentence_what_it_does() -> None:
    assert len(TOOLS) == 15
    for name, tool in TOOLS.items():
        assert tool.name == name
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert tool.sentence.endswith(".")
        assert len(tool.sentence) <= 100
        # A tool that only reads is not named as if it did not, and the reverse.
        changes = name.startswith(("propose_", "plan_")) or name in {
            "audition", "job_start", "deck_act", "loudness_report",  # it queues a job
        }  # fmt: skip
        assert tool.is_read_only is not changes
    scopes = {name: tool.scope for name, tool in TOOLS.items()}
    assert scopes["job_start"] == "prepare"
    assert scopes["deck_act"] == "perform"
    assert set(scopes.values()) == {"read", "propose", "prepare", "perform"}


@pytest.mark.parametrize("name", TOOLS)
def test_a_schema_is_in_the_strict_subset(name: str) -> None:
    def check(part: object) -> None:
        if isinstance(part, list):
            for each in part:
                check(each)
        if not isinstance(part, dict):
            return
        assert not {"$ref", "$defs", "default", "title"} & (part.keys() - {"properties"})
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert part["required"] == list(part["properties"])
        for key, value in part.items():
            for each in value.values() if key == "properties" else [value]:
                check(each)

    schema = json_schema(TOOLS[name].params)
    assert schema["type"] == "object"
    assert schema["properties"].keys() == set(TOOLS[name].params.__struct_fields__)
    assert len(msgspec.json.encode(schema)) < 2500
    check(schema)


def test_no_parameter_of_a_tool_is_a_path_an_address_or_a_deletion() -> None:
    words = re.compile(r"path|file|folder|url|address|host|delete|remove|command|shell|key\b")
    for tool in TOOLS.values():
        for name in tool.params.__struct_fields__:
            assert not words.search(name), name


def test_rows_that_do_not_fit_are_left_out_and_counted() -> None:
    rows = tuple(
        TrackRow(n, "ü" * 80, 120.0, "A minor", "8A", why=("x" * 60,) * 3) for n in range(40)
    )
    found = fitted(Found(40, "", rows), "tracks")
    assert len(msgspec.json.encode(found)) <= MAX_BYTES
    assert len(found.tracks) + found.left_out == 40
    assert found.tracks == rows[: len(found.tracks)]
    assert len(found.tracks) > 5
    assert fitted(Found(1, "", rows[:1]), "tracks").left_out == 0


@pytest.mark.parametrize("key", KEYS)
def test_neighbours_are_those_of_the_circle_of_fifths(key: str) -> None:
    codes = {camelot(other) for other in KEYS if distance(key, other) <= 1}
    assert set(neighbours_of(camelot(key))) == codes
    assert neighbours_of(camelot(key))[0] == camelot(key)
    assert len(codes) == 4


def test_no_prompt_or_table_of_an_agent_says_which_camelot_code_a_key_has() -> None:
    folder = Path(sfa_engine.agents.__file__).parent
    pair = re.compile(r"\b(?:1[0-2]|[1-9])[AB]\b\W{1,6}\b[A-G][#b♯♭]? ?(?:m|min|minor|maj|major)\b")
    for file in folder.rglob("*.py"):
        lines = [
            line for line in file.read_text(encoding="utf-8").splitlines() if pair.search(line)
        ]
        assert not lines, f"{file}: {lines}"


def _goal(name: str, value: float | None, is_met: bool | None = None) -> dict[str, object]:
    return {"name": name, "value": value, "goal": "", "is_met": is_met}


@pytest.mark.parametrize(
    ("goals", "vetoes"),
    [
        ([_goal("voices_s", 0.3), _goal("bass_both_bars", 1.9), _goal("apart_ms", -29.0)], 0),
        ([_goal("voices_s", None), _goal("cut_s", None)], 0),
        ([_goal("voices_s", 0.4)], 1),
        ([_goal("bass_both_bars", 2.1), _goal("clash_bars", 5.0)], 2),
        ([_goal("apart_ms", -31.0)], 1),
        ([_goal("bars", 8.0), _goal("under_louder_db", -8.3)], 1),
        ([_goal("bars", None), _goal("under_louder_db", -8.3)], 0),
        ([_goal("bars", 8.0), _goal("over_louder_db", 4.2), _goal("over_line_db", 30.0)], 1),
        ([_goal("rate_pct", 9.0, is_met=False)], 1),
    ],
)
def test_bad_measures_are_vetoes(goals: list[dict[str, object]], vetoes: int) -> None:
    assert len(vetoes_of(goals)) == vetoes


def test_the_newest_drafts_are_kept_and_equal_plans_have_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_DRAFTS", 3)

    async def fill() -> list[str]:
        drafts = DraftStore(tmp_path)
        names = []
        for number in range(5):
            names.append(await drafts.add(Plan(lufs=-10.0 - number)))
            file = drafts.path(names[-1])
            os.utime(file, (number, number))
        assert await drafts.add(Plan(lufs=-14.0)) == names[-1]
        assert await drafts.read(names[-1]) == Plan(lufs=-14.0)
        return names

    names = asyncio.run(fill())
    there = {file.stem for file in (tmp_path / "mix-drafts").iterdir()}
    assert names[-1] in there
    assert len(there) == 3
    assert names[0] not in there

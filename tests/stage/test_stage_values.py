"""What the stage owns is found again by the next stage."""

from __future__ import annotations

import json

import pytest

from sfa_engine.desk import CONTROLS
from sfa_engine.engine.memory import Memory
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.session_lock import SessionLock

SET = {
    "session.lock": 2.0,
    "session.focus": 1.0,
    "deck1.hotcue_bank": 3.0,
    "browse.position": 12.0,
    "browse.selected": 14.0,
}


def test_a_new_stage_has_every_value_that_stays_where_it_is_put(tmp_path):
    memory, file = Memory.anonymous(), tmp_path / "stage-values.json"
    first = Conductor(memory, file)
    kept = {path for path in first.stage.values() if not CONTROLS[path].momentary}
    assert set(SET) <= kept
    for path, value in SET.items():
        first.set_nowait(path, value)
    first.set_nowait("session.shift", 1.0)
    second = Conductor(memory, file)
    assert {path: second.get(path) for path in SET} == SET
    assert second.get("session.shift") == 0.0
    assert SessionLock(second).is_locked


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xfe", b"[]", b"null", b"{", b'{"session.lock": "loud"}', b'{"session.lock": 9}',
        b'{"session.lock": null}', b'{"session.lock": [1]}', b'{"deck1.rate": 2}', b'{"no": 1}',
        b'{"deck1.title": "x"}', b'{"deck1.tempo_fader": 50}',
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_of_use_leaves_the_values_at_rest(tmp_path, content):
    file = tmp_path / "stage-values.json"
    file.write_bytes(content)
    conductor, fresh = Conductor(Memory.anonymous(), file), Conductor(Memory.anonymous())
    assert conductor.values() == fresh.values()


def test_one_wrong_value_costs_none_of_the_others(tmp_path):
    file = tmp_path / "stage-values.json"
    file.write_text(json.dumps({"deck1.hotcue_bank": 99, "session.lock": 2}))
    conductor = Conductor(Memory.anonymous(), file)
    assert conductor.get("session.lock") == 2.0
    assert conductor.get("deck1.hotcue_bank") == 1.0


def test_values_that_cannot_be_kept_are_set_all_the_same(tmp_path, caplog):
    conductor = Conductor(Memory.anonymous(), tmp_path / "gone" / "stage-values.json")
    conductor.set_nowait("session.lock", "on")
    assert conductor.get("session.lock") == 2.0
    assert "not kept" in caplog.text

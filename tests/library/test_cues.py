"""Cues: what a person made stays, whatever an analysis finds later."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from open_library import in_asyncio

from sfa_engine.errors import Refused
from sfa_engine.library.cues import (
    Cue,
    add,
    cues_of,
    edit,
    remove,
    replace_automatic,
    set_hot_cue,
)
from sfa_engine.library.database import Database
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add as add_track


@in_asyncio
async def test_an_analysis_replaces_what_the_last_one_found_and_nothing_by_hand(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        mine = await add(connection, track.id, Cue(10.0, label="mine", slot=2))
        await replace_automatic(connection, track.id, [Cue(1.0, "drop", slot=1), Cue(2.0, slot=2)])
        await replace_automatic(connection, track.id, [Cue(3.0, "drop", slot=1), Cue(4.0, slot=2)])
        assert [(c.position_s, c.slot, c.by_hand) for c in await cues_of(connection, track.id)] == [
            (3.0, 1, False),
            (4.0, None, False),
            (10.0, 2, True),
        ]
        assert mine in await cues_of(connection, track.id)


@in_asyncio
async def test_a_cue_by_hand_takes_its_button_from_an_automatic_one(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await replace_automatic(connection, track.id, [Cue(1.0, "drop", slot=1)])
        await set_hot_cue(connection, track.id, 1, 5.0, label="here")
        await set_hot_cue(connection, track.id, 1, 6.0, label="no, here")
        assert [(c.label, c.slot) for c in await cues_of(connection, track.id)] == [
            ("", None),
            ("no, here", 1),
        ]


@in_asyncio
async def test_an_automatic_cue_that_a_person_changes_is_hers(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await replace_automatic(connection, track.id, [Cue(1.0, "drop", slot=1)])
        (found,) = await cues_of(connection, track.id)
        changed = await edit(connection, found.id, label="Drop!", color="#ff8800")
        await replace_automatic(connection, track.id, [])
        assert await cues_of(connection, track.id) == [changed]
        assert changed == Cue(1.0, "drop", slot=1, label="Drop!", color="#ff8800", id=found.id)


@in_asyncio
async def test_an_automatic_cue_that_is_not_wanted_does_not_come_again(database):
    drop, late = Cue(32.0, "drop", slot=1), Cue(96.0, "drop", slot=2)
    loop = Cue(32.0, "loop", end_s=40.0, stem="drums")
    longer, others = replace(loop, end_s=48.0), replace(loop, stem="bass")
    again = [replace(cue, position_s=cue.position_s + 0.4) for cue in (drop, late)]
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await replace_automatic(connection, track.id, [drop, late, loop, longer, others])
        there = {
            (c.kind, c.position_s, c.end_s, c.stem): c.id for c in await cues_of(connection, 1)
        }
        await remove(connection, there["drop", 32.0, None, None])
        await remove(connection, there["loop", 32.0, 40.0, "drums"])
        mine = await edit(connection, there["drop", 96.0, None, None], position_s=95.0, slot=3)
        await replace_automatic(connection, track.id, [*again, loop, longer, others])
        found = await cues_of(connection, track.id)
        assert mine in found
        assert [(c.end_s, c.stem) for c in found if c != mine] == [(48.0, "drums"), (40.0, "bass")]
        await replace_automatic(connection, track.id, [Cue(33.0, "drop"), Cue(32.0, "build")])
        assert [(c.kind, c.position_s) for c in await cues_of(connection, track.id)] == [
            ("build", 32.0),
            ("drop", 33.0),
            ("drop", 95.0),
        ]


@in_asyncio
async def test_every_field_of_a_loop_comes_back(database):
    loop = Cue(1.5, "loop", 3.5, 8, "Vocals", "#00ff00", "vocals")
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        stored = await add(connection, track.id, loop)
    async with database.reading() as connection:
        assert await cues_of(connection, track.id) == [stored]
    async with database.transaction() as connection:
        assert await remove(connection, stored.id) == track.id
        assert await cues_of(connection, track.id) == []
        with pytest.raises(Refused, match="no cue"):
            await remove(connection, stored.id)


@pytest.mark.parametrize(
    "values",
    [
        {"position_s": -1.0},
        {"position_s": float("nan")},
        {"position_s": "1"},
        {"position_s": True},
        {"position_s": 10.0, "end_s": 10.0},
        {"position_s": 0.0, "slot": 33},
        {"position_s": 0.0, "slot": 1.0},
        {"position_s": 0.0, "color": "red"},
        {"position_s": 0.0, "stem": "vocal"},
        {"position_s": 0.0, "label": "x" * 201},
        {"position_s": 0.0, "kind": 3},
        {"position_s": 0.0, "label": "\ud800"},
    ],
)
def test_a_cue_that_cannot_be_is_refused(values):
    with pytest.raises(Refused) as caught:
        Cue(**values)
    assert caught.value.hint


@in_asyncio
async def test_an_edit_of_what_no_cue_has_is_refused(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        cue = await add(connection, track.id, Cue(1.0))
        with pytest.raises(Refused, match='did you mean "position_s"'):
            await edit(connection, cue.id, position=3.0)
        with pytest.raises(Refused, match="no track 77"):
            await add(connection, 77, Cue(1.0))


@in_asyncio
async def test_a_place_behind_the_end_is_refused_with_the_length(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x", tags=Tags(title="Halcyon", duration_s=171.25))
        with pytest.raises(Refused, match=r'83:20\.000 is after the end of "Halcyon", 2:51\.250'):
            await add(connection, track.id, Cue(5000.0))
        with pytest.raises(Refused, match=r"3:00\.000 is after"):
            await set_hot_cue(connection, track.id, 1, 170.0, kind="loop", end_s=180.0)
        loop = await add(connection, track.id, Cue(170.0, "loop", 171.25))
        with pytest.raises(Refused, match=r"2:51\.300 is after the end"):
            await edit(connection, loop.id, end_s=171.3)
        assert await cues_of(connection, track.id) == [loop]


class Buttons(RuleBasedStateMachine):
    """Whatever is done: eight buttons with one cue each, and no cue by hand is ever lost."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        path = Path(self.folder.name) / "library.db"
        self.database = self.runner.run(Database.open(path))
        self.track = self.do(add_track, "x")[0].id
        self.mine = {}

    def do(self, work, *arguments, **options):
        async def run():
            async with self.database.transaction(durable=False) as connection:
                return await work(connection, *arguments, **options)

        return self.runner.run(run())

    slots = st.none() | st.integers(1, 8)
    places = st.integers(0, 1000).map(float)

    @rule(slot=slots, place=places)
    def mark(self, slot, place):
        self._take(slot)
        cue = self.do(add, self.track, Cue(place, slot=slot))
        self.mine[cue.id] = (place, slot)

    @rule(wishes=st.lists(st.tuples(places, slots), max_size=10))
    def analyse(self, wishes):
        self.do(replace_automatic, self.track, [Cue(p, "drop", slot=s) for p, s in wishes])

    @rule(data=st.data(), slot=slots)
    def change(self, data, slot):
        cues = self.do(cues_of, self.track)
        if cues:
            cue = data.draw(st.sampled_from(cues))
            if slot != cue.slot:
                self._take(slot)
            self.do(edit, cue.id, slot=slot)
            self.mine[cue.id] = (cue.position_s, slot)

    def _take(self, slot):
        for number, (place, taken) in self.mine.items():
            if slot is not None and taken == slot:
                self.mine[number] = (place, None)

    @invariant()
    def what_a_person_made_is_there(self):
        cues = self.do(cues_of, self.track)
        assert {c.id: (c.position_s, c.slot) for c in cues if c.by_hand} == self.mine
        slots = [cue.slot for cue in cues if cue.slot is not None]
        assert len(slots) == len(set(slots))

    def teardown(self):
        self.runner.run(self.database.close())
        self.runner.close()
        self.folder.cleanup()


Buttons.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


@pytest.mark.slow
class TestButtons(Buttons.TestCase):
    """The state machine above, as pytest finds it."""

"""``mix.chef`` on a real library: plans from words, what is prepared first, what is passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from house import prep_context
from mix_library import MixLibrary
from open_library import in_asyncio, runner  # noqa: F401 - a fixture, found by its name

from sfa_engine.backstage.describer import Describer
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.mixes.auditions import Auditions
from sfa_engine.backstage.verbs.chef import ChefVerbs, name_of
from sfa_engine.backstage.verbs.mixes import MixVerbs
from sfa_engine.backstage.verbs.words import WordVerbs
from sfa_engine.errors import Refused
from sfa_engine.library import tracks
from sfa_engine.library.analysis import StemOrigin, set_stems
from sfa_engine.wire.rights import SYSTEM, Actor

WORDS = "techno, no vocals, three tracks, rising"


class Kitchen:
    """A library, and the verbs."""

    def __init__(self, context: Any) -> None:
        self.library = MixLibrary(context)
        self.database = context.database
        self.context = context
        words = WordVerbs(context, Describer(context))
        auditions = Auditions(context.settings.data, context.places.bundles)
        dispatcher = Dispatcher(context.queue, {}, {})
        facts = self.library.reader
        self.mixes = MixVerbs(context, facts, words, auditions, dispatcher)
        self.chef = ChefVerbs(context, facts, words, self.mixes, dispatcher).mix_chef

    async def fill(self, count: int = 4, genre: str = "Techno") -> list[int]:
        numbers = []
        for number in range(1, count + 1):
            track = await self.library.add(number, genre=genre)
            await self.library.prepare(track, bpm=120.0 + number)
            numbers.append(track)
        return numbers

    async def strip(self, track: int) -> None:
        """Leave a track with its mix alone."""
        async with self.database.transaction() as connection:
            await set_stems(connection, track, [StemOrigin("mix", "sketch", sketch=True)])

    async def forget(self, track: int) -> None:
        """Take the analysis of a track away."""
        async with self.database.transaction() as connection:
            await connection.execute("DELETE FROM analyses WHERE track_id = ?", (track,))

    async def jobs(self, batch: str) -> list[tuple[int, str, str]]:
        found = await self.database.fetch(
            "SELECT track_id, kind, state FROM jobs JOIN batch_jobs ON job_id = jobs.id"
            " WHERE batch = ? ORDER BY jobs.id",
            (batch,),
        )
        return [tuple(each) for each in found]

    async def end(self, batch: str, state: str, error: str | None = None) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(
                "UPDATE jobs SET state = ?, error = ? WHERE state = 'waiting' AND id IN"
                " (SELECT job_id FROM batch_jobs WHERE batch = ?)",
                (state, error, batch),
            )


@pytest.fixture
def kitchen(runner: asyncio.Runner, tmp_path: Path) -> Iterator[Kitchen]:  # noqa: F811
    made = prep_context(tmp_path)
    context = runner.run(made.__aenter__())
    yield Kitchen(context)
    runner.run(made.__aexit__(None, None, None))


@in_asyncio
async def test_words_become_a_stored_plan_without_the_vocals(kitchen: Kitchen) -> None:
    await kitchen.fill()
    said = await kitchen.chef(WORDS)
    assert (said["name"], said["stored"]) == ("techno-no-vocals-three-tracks-rising", True)
    assert said["preparing"] == said["passed_over"] == said["notes"] == []
    mix = said["mix"]
    assert mix == await kitchen.mixes.mix_show(said["name"])
    assert (mix["arc"], len(mix["tracks"]), mix["problem"]) == ("rising", 3, "")
    for track in mix["tracks"]:
        assert track["mute"] == ["vocals"]
        assert "techno" in track["why"]
    controls = {move["control"] for each in mix["transitions"] for move in each.get("moves", ())}
    assert not [control for control in controls if "stem.vocals.mute" in control]
    script = (await kitchen.mixes.mix_script(said["name"]))["script"]
    assert script.count("stem.vocals.mute on") == 3


@in_asyncio
async def test_drums_only_mutes_all_other_stems(kitchen: Kitchen) -> None:
    await kitchen.fill(2)
    mix = (await kitchen.chef("techno, drums only"))["mix"]
    assert [track["mute"] for track in mix["tracks"]] == [["vocals", "bass"]] * 2


@in_asyncio
async def test_first_and_last_track_are_kept_and_an_unprepared_one_is_refused(
    kitchen: Kitchen,
) -> None:
    await kitchen.fill()
    mix = (await kitchen.chef("techno starting with 3, ending with #2, 3 tracks"))["mix"]
    order = [track["id"] for track in mix["tracks"]]
    assert (order[0], order[-1], len(order)) == (3, 2, 3)
    other = await kitchen.library.add(9)
    with pytest.raises(Refused, match="Artist 9 - Title 9 is not imported yet"):
        await kitchen.chef(f"techno starting with {other}")


@in_asyncio
async def test_missing_stems_are_made_first_and_the_next_candidate_replaces_one_that_fails(
    kitchen: Kitchen,
) -> None:
    await kitchen.fill(4)
    ranked = [t["id"] for t in (await kitchen.chef("techno", dry_run=True))["mix"]["tracks"]]
    assert sorted(ranked) == [1, 2, 3, 4]
    for track in (1, 2):
        await kitchen.strip(track)
    said = await kitchen.chef(WORDS)
    assert (said["stored"], said["mix"]) == (False, None)
    lacking = [each["id"] for each in said["preparing"]]
    assert lacking
    assert {each["lacks"] for each in said["preparing"]} == {"stems"}
    made = await kitchen.jobs(said["batch"])
    assert {(track, kind) for track, kind, _ in made} == {
        (track, kind) for track in lacking for kind in ("separate", "analyse", "cue", "tag")
    }
    with pytest.raises(Refused, match='no mix "techno'):
        await kitchen.mixes.mix_show(said["name"])
    again = await kitchen.chef(WORDS, batch=said["batch"])
    assert again["batch"] == said["batch"]
    assert await kitchen.jobs(said["batch"]) == made  # nothing is queued twice
    while said["preparing"]:
        await kitchen.end(said["batch"], "failed", '{"code": "x", "message": "no", "hint": ""}')
        said = await kitchen.chef(WORDS, batch=said["batch"])
    assert sorted(track["id"] for track in said["mix"]["tracks"]) == [3, 4]
    assert {each["id"]: each["why"] for each in said["passed_over"]} == dict.fromkeys(
        (1, 2), "could not be prepared: no"
    )
    assert "2 of 3 tracks were found" in said["notes"]


@in_asyncio
async def test_a_missing_analysis_is_made_without_a_separation(kitchen: Kitchen) -> None:
    await kitchen.fill(2)
    await kitchen.forget(1)
    said = await kitchen.chef("techno")
    assert said["preparing"] == [{"id": 1, "name": "Artist 1 - Title 1", "lacks": "analysis"}]
    kinds = [kind for _, kind, _ in await kitchen.jobs(said["batch"])]
    assert kinds == ["analyse", "cue", "tag"]
    await kitchen.end(said["batch"], "done")  # and yet there is none: it is not tried forever
    said = await kitchen.chef("techno", batch=said["batch"])
    assert [track["id"] for track in said["mix"]["tracks"]] == [2]
    assert said["passed_over"][0]["why"] == "could not be prepared"


@in_asyncio
async def test_a_track_of_whose_voice_nothing_is_known_is_a_candidate_too(kitchen: Kitchen) -> None:
    await kitchen.fill(2)
    async with kitchen.database.transaction() as connection:
        await connection.execute("DELETE FROM sounds WHERE track_id = 2")
    for words in ("techno, no vocals", "no vocals"):
        mix = (await kitchen.chef(words, dry_run=True))["mix"]
        assert sorted(track["id"] for track in mix["tracks"]) == [1, 2], words


@in_asyncio
async def test_a_dry_run_and_ready_queue_nothing(kitchen: Kitchen) -> None:
    await kitchen.fill(3)
    await kitchen.strip(1)
    dry = await kitchen.chef("techno, no vocals", dry_run=True)
    assert ([each["id"] for each in dry["preparing"]], dry["batch"]) == ([1], "")
    dry = await kitchen.chef("techno, no vocals", dry_run=True, ready=True)
    assert sorted(track["id"] for track in dry["mix"]["tracks"]) == [2, 3]
    assert not dry["stored"]
    assert (await kitchen.mixes.mix_list())["mixes"] == []
    assert await kitchen.database.fetch("SELECT 1 FROM jobs") == []
    made = await kitchen.chef("techno, no vocals", ready=True, name="x")
    assert made["passed_over"][0]["why"] == "is not ready: it has no stems"
    assert await kitchen.database.fetch("SELECT 1 FROM jobs") == []
    with pytest.raises(Refused, match='there is a mix "x"'):
        await kitchen.chef("techno", name="x")
    assert (await kitchen.chef("techno", name="x", replace=True))["stored"]


@in_asyncio
async def test_who_may_not_prepare_gets_what_is_ready(kitchen: Kitchen) -> None:
    await kitchen.fill(2)
    await kitchen.strip(1)
    actor = Actor(7, "user", frozenset({"read", "perform"}))
    said = await kitchen.chef("techno, no vocals", actor=actor)
    assert [track["id"] for track in said["mix"]["tracks"]] == [2]
    assert "may not be prepared by this account" in said["passed_over"][0]["why"]
    assert await kitchen.database.fetch("SELECT 1 FROM jobs") == []


@in_asyncio
async def test_words_that_are_not_understood_are_reported_and_hinder_nothing(
    kitchen: Kitchen,
) -> None:
    await kitchen.fill(2)
    said = await kitchen.chef("techno quxly", dry_run=True)
    assert len(said["mix"]["tracks"]) == 2
    assert said["recipe"]["unknown"] == ["quxly"]
    assert any('"quxly" was not understood' in note for note in said["notes"])


@in_asyncio
async def test_what_finds_no_track_is_refused_and_stores_nothing(kitchen: Kitchen) -> None:
    await kitchen.fill(1)
    for words in ("techno over 300 bpm", "bpm:>300"):
        with pytest.raises(Refused, match="no track for this recipe"):
            await kitchen.chef(words)
    async with kitchen.database.transaction() as connection:
        await tracks.set_bundle(connection, 1, None, None)
    with pytest.raises(Refused, match="Artist 1 - Title 1 is not imported yet"):
        await kitchen.chef("techno", actor=SYSTEM)
    assert (await kitchen.mixes.mix_list())["mixes"] == []


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Dark techno, 120~126!", "dark-techno-120-126"),
        ("!!!", "recipe"),
        (
            "warm up, dark techno 120 to 126, rising, eight tracks",
            "warm-up-dark-techno-120-to-126-rising",
        ),
        ("x" * 60, "x" * 40),
    ],
)
def test_a_plan_is_named_after_its_words(words: str, name: str) -> None:
    assert name_of(words) == name

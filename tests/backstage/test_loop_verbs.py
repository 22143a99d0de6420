"""``loops.*``: words to loops, tracks that lack something first, and real workers that cut them."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from house import RATE, House, prep_context, prepared, until_ended
from mix_library import MixLibrary
from open_library import in_asyncio, runner  # noqa: F401 - a fixture, found by its name

from sfa_engine.backstage.describer import Describer
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.verbs.loops import LoopVerbs
from sfa_engine.backstage.verbs.words import WordVerbs
from sfa_engine.errors import Refused
from sfa_engine.library.analysis import Analysis, StemOrigin, set_stems, store
from sfa_engine.track.curves import FILE
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.wire.blocking import SocketClient
from sfa_engine.wire.rights import Actor

WORDS = "2 drum loops of 8 beats and a bass loop of 4, techno"


class Shop:
    """A library, and the verbs."""

    def __init__(self, context: Any) -> None:
        self.library = MixLibrary(context)
        self.database = context.database
        self.context = context
        words = WordVerbs(context, Describer(context))
        self.verbs = LoopVerbs(
            context, self.library.reader, words, Dispatcher(context.queue, {}, {})
        )
        self.plan, self.make = self.verbs.loops_plan, self.verbs.loops_make

    async def fill(self, count: int = 3) -> list[Path]:
        folders = []
        for number in range(1, count + 1):
            track = await self.library.add(number, genre="Techno")
            folders.append(await self.library.prepare(track, bpm=120.0 + number))
        return folders

    async def strip(self, track: int) -> None:
        """Leave a track with its mix alone."""
        async with self.database.transaction() as connection:
            await set_stems(connection, track, [StemOrigin("mix", "sketch", sketch=True)])

    async def jobs(self) -> list[tuple[Any, ...]]:
        found = await self.database.fetch("SELECT kind, args FROM jobs ORDER BY id")
        return [tuple(each) for each in found]

    async def end(self, state: str, error: str | None = None) -> None:
        async with self.database.transaction() as connection:
            await connection.execute("UPDATE jobs SET state = ?, error = ?", (state, error))


@pytest.fixture
def shop(runner: asyncio.Runner, tmp_path: Path) -> Iterator[Shop]:  # noqa: F811
    made = prep_context(tmp_path)
    context = runner.run(made.__aenter__())
    yield Shop(context)
    runner.run(made.__aexit__(None, None, None))


@in_asyncio
async def test_a_plan_has_a_loop_of_each_track_with_its_reason_and_makes_nothing(
    shop: Shop,
) -> None:
    await shop.fill()
    said = await shop.plan(WORDS)
    assert [(each["pad"], each["stem"], each["beats"]) for each in said["loops"]] == [
        (1, "drums", 8), (2, "drums", 8), (3, "bass", 4),
    ]  # fmt: skip
    drums = said["loops"][:2]
    assert len({each["track"] for each in drums}) == 2
    for each in said["loops"]:
        assert each["start_s"] >= 19.0  # the first half is 30 dB lower
        assert (each["seam_db"], each["key"], each["section"]) == (0.0, "8A", "drop")
        assert "of the drop" in each["why"]
    assert said["request"]["query"]["genres"] == ("techno",)
    assert (said["preparing"], said["job"], said["notes"]) == ([], None, [])
    assert await shop.jobs() == []


@in_asyncio
async def test_what_is_made_is_one_job_with_places_to_spare(shop: Shop, tmp_path: Path) -> None:
    await shop.fill()
    said = await shop.make(WORDS)
    ((kind, args),) = await shop.jobs()
    asked = json.loads(args)
    assert (kind, asked["kit"], asked["zip"]) == (
        "loops", "2-drum-loops-of-8-beats-and-a-bass-loop", "",
    )  # fmt: skip
    assert [(each["stem"], each["count"]) for each in asked["wanted"]] == [
        ("drums", 2), ("bass", 1),
    ]  # fmt: skip
    for each in asked["wanted"]:
        assert {place["track"] for place in each["places"][:3]} == {1, 2, 3}  # one of each first
    assert said["job"] == 1
    again = await shop.make(WORDS)
    assert again["job"] == said["job"]  # the same twice at once is done once
    with pytest.raises(Refused, match="a kit or a zip"):
        await shop.make(WORDS, kit="x", zip=True)
    with pytest.raises(Refused, match="is not a name for a kit"):
        await shop.make(WORDS, kit="../x")
    (tmp_path / "kits" / "x").mkdir(parents=True)
    with pytest.raises(Refused, match='there is a kit "x"'):
        await shop.make(WORDS, kit="x")


@in_asyncio
async def test_missing_stems_are_made_first_and_a_track_that_fails_is_passed_over(
    shop: Shop,
) -> None:
    await shop.fill()
    for track in (1, 2):
        await shop.strip(track)
    ready = await shop.plan(WORDS, ready=True)
    assert {each["track"] for each in ready["loops"]} == {3}
    assert "1 of 2 loops were found: drums, 8 beats" in ready["notes"]
    said = await shop.make(WORDS)
    assert said["job"] is None
    assert {each["lacks"] for each in said["preparing"]} == {"stems"}
    kinds = {kind for kind, _ in await shop.jobs()}
    assert kinds == {"separate", "analyse", "cue", "tag"}
    batch = said["batch"]
    while said["job"] is None:
        await shop.end("failed", '{"code": "x", "message": "no", "hint": ""}')
        said = await shop.make(WORDS, batch=batch)
    assert {each["track"] for each in said["loops"]} == {3}
    assert said["passed_over"][0]["why"] == "could not be prepared: no"


@in_asyncio
async def test_tracks_without_grid_curves_or_such_a_stem_are_passed_over_with_why(
    shop: Shop,
) -> None:
    folders = await shop.fill(4)
    (folders[0] / FILE).unlink()
    async with shop.database.transaction() as connection:
        await connection.execute("DELETE FROM grids WHERE track_id = 2")
        unsure = Analysis("1", bpm=123.0, confidence=0.2)
        await store(connection, 3, unsure, grid=Grid((Anchor(0.0, 0.0),), 123.0), rate=RATE)
    said = await shop.plan("4 drum loops, techno")
    assert {each["track"] for each in said["loops"]} == {4}
    whys = {each["id"]: each["why"] for each in said["passed_over"]}
    assert whys == {
        1: "has no curves: analyse it again",
        2: "has no beat grid",
        3: "has a grid that is not sure (20 %)",
    }
    with pytest.raises(Refused, match=r"no track has such loops: .* has no stem guitar"):
        await shop.plan("guitar loops in 8A")


@in_asyncio
async def test_who_may_not_prepare_gets_loops_of_what_is_ready(shop: Shop) -> None:
    await shop.fill(2)
    await shop.strip(1)
    actor = Actor(7, "user", frozenset({"read", "perform"}))
    said = await shop.plan(WORDS, actor=actor)
    assert {each["track"] for each in said["loops"]} == {2}
    assert "may not be prepared by this account" in said["passed_over"][0]["why"]


@in_asyncio
async def test_tempos_that_are_far_apart_are_noted(shop: Shop) -> None:
    for number, bpm in ((1, 100.0), (2, 140.0)):
        track = await shop.library.add(number, genre="Techno")
        await shop.library.prepare(track, bpm=bpm)
    notes = (await shop.plan("2 drum loops"))["notes"]
    assert notes == ["the tempos are from 100 to 140 BPM: give one"]
    near = await shop.plan("2 drum loops", bpm=104.0)
    assert [each["bpm"] for each in near["loops"]] == [100.0]
    assert near["request"]["query"]["bpm"] == pytest.approx((96.3, 112.3), abs=0.1)
    named = await shop.plan("drum loops over 130 bpm", bpm=104.0)
    assert [each["bpm"] for each in named["loops"]] == [140.0]


@in_asyncio
async def test_words_without_a_sense_are_one_error(shop: Shop) -> None:
    await shop.fill(1)
    for words, why in (
        ("", "no loops"),
        ("qux florp", "ask for no loops"),
        ("x" * 10_000, "10000 characters"),
        ("drum loops over 300 bpm", "no track has such loops: no track fits the other words"),
        ("florp drum loops", 'no track has such loops: no name has "florp"'),
    ):
        with pytest.raises(Refused, match=why):
            await shop.plan(words)
    said = await shop.plan("florp techno drum loops")
    assert any('"florp" was not understood' in note for note in said["notes"])


# ---------------------------------------------------------------------- with real workers

BARS, PATTERN = 24, range(12, 20)  # the bars in which the drums repeat two bars
STEP = RATE * 60 // 120 // 4


def stems(folder: Path) -> Path:
    """Write a track as a folder of stems, whose drums go round in `PATTERN` alone."""
    folder.mkdir()
    kick = 0.6 * np.sin(2 * np.pi * 55 * np.arange(STEP) / RATE) * np.exp(-np.arange(STEP) / 900)
    drums = np.zeros((BARS * 16 * STEP, 2), np.float32)
    for bar in range(BARS):
        chance = np.random.default_rng(bar % 2 if bar in PATTERN else 100 + bar)
        for step in range(16):
            at = (bar * 16 + step) * STEP
            noise = np.random.default_rng(step).standard_normal(STEP) * np.exp(
                -np.arange(STEP) / 400
            )
            hit = chance.choice([0.0, 0.02, 0.1, 0.25]) * noise + (kick if step % 4 == 0 else 0.0)
            drums[at : at + STEP] += hit[:, None].astype(np.float32)
    bass = np.zeros_like(drums)
    time_s = np.arange(16 * STEP) / RATE
    for bar in range(BARS):
        note = 0.2 * np.sin(2 * np.pi * (55.0 if bar % 2 else 73.4) * time_s)
        bass[bar * 16 * STEP : (bar + 1) * 16 * STEP] += note[:, None].astype(np.float32)
    for name, sound in (("drums", drums), ("bass", bass)):
        soundfile.write(folder / f"{name}.wav", sound, RATE, subtype="PCM_16")
    return folder


@pytest.mark.slow
def test_the_loop_that_goes_round_is_cut_from_a_track_that_was_analysed(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    (track,) = prepared(client, stems(tmp_path / "Wren"))["tracks"]
    said = client.call("loops.make", words="a drum loop of 8 beats", kit="friday")
    assert said["preparing"] == []
    until_ended(client, said["batch"])
    made = client.call("loops.made", job=said["job"])
    assert str(here.folder) not in str(made["loops"])
    (loop,) = made["loops"]
    bar = round(loop["start_s"] / 2.0)
    assert bar in PATTERN
    assert bar + 1 in PATTERN
    assert loop["start_s"] == pytest.approx(2.0 * bar, abs=0.02)
    assert loop["frames"] == pytest.approx(4 * RATE, abs=40)
    assert loop["seam"]["spectrum_db"] < 2.0
    shown = client.call("kits.show", name="friday")
    assert [(pad["pad"], pad["settings"]["beats"]) for pad in shown["pads"]] == [(1, 8.0)]

    said = client.call("loops.make", words="2 drum and bass loops, 2 bars", zip=True, bpm=124.0)
    until_ended(client, said["batch"])
    made = client.call("loops.made", job=said["job"])
    (file,) = made["files"]
    path = Path(file["folder"]) / file["path"]
    assert path.parent == here.data / "exports"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("info.json"))["loops"] == made["loops"]
        sound, rate = soundfile.read(io.BytesIO(archive.read(made["loops"][0]["file"])))
    assert (len(sound), rate) == (round(8 * 60 / 124 * RATE), RATE)  # stretched
    job = client.call("jobs.show", job=said["job"])
    assert (job["state"], job["kind"], job["error"]) == ("done", "loops", None)
    path.unlink()
    assert client.call("loops.made", job=said["job"])["files"] == []

    # a track that is removed after the plan, and a job that is none of ours
    client.call("library.remove", track=track["id"])
    with pytest.raises(Refused, match="no track has such loops"):
        client.call("loops.make", words="a drum loop of 8 beats", kit="other")
    with pytest.raises(Refused, match="job 1 cuts no loops"):
        client.call("loops.made", job=1)

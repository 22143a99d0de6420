"""A plan performed live: by a kernel that renders faster than real time, and the stage's verbs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from house import prep_context
from mix_library import MixLibrary
from msgspec.structs import replace
from open_library import in_asyncio, runner  # noqa: F401 - a fixture, found by its name

from sfa_engine.backstage.mixes.live_mix import LiveMix
from sfa_engine.backstage.mixes.live_state import FILE
from sfa_engine.backstage.mixes.store import PlanStore
from sfa_engine.bench.live_engine import LiveEngine
from sfa_engine.desk import find
from sfa_engine.engine.command import Source
from sfa_engine.engine.layout import VALUE_PATHS
from sfa_engine.errors import Refused
from sfa_engine.mix import live
from sfa_engine.mix.commands import times_of, timetable
from sfa_engine.mix.document import Move
from sfa_engine.mix.mix_script import mix_script
from sfa_engine.mix.plan import plan_mix, replan
from sfa_engine.script.render import perform
from sfa_engine.script.script import parse_script

STEP_S = 0.2
HAND = Source.SOCKET + 7
LENGTH_S = 64.0  # 32 bars at 120 BPM


class Engine(LiveEngine):
    """One whose peaks are kept, and on which a hand can be."""

    def __init__(self, folder: Path) -> None:
        self.level: list[float] = []  # of each step, peak
        super().__init__(folder, lambda sound: self.level.append(float(np.abs(sound).max())))

    def set(self, path: str, value: Any) -> None:
        """Set a control, as a hand does."""
        self.conductor.set_nowait(path, value, HAND)

    def values(self) -> dict[str, float]:
        """Return the controls of the mix."""
        found = zip(VALUE_PATHS, self.offline.memory.engine["flat"].tolist(), strict=True)
        return {path: value for path, value in found if live.is_of_mix(path)}

    def value(self, path: str) -> float:
        return self.offline.memory.value(path)


class Performance:
    """A library of short tracks, an engine, and a live mix."""

    def __init__(self, context: Any, folder: Path, file: str = FILE) -> None:
        self.context = context
        self.folder = folder
        self.file = file
        self.library = MixLibrary(context)
        self.store = PlanStore(context.settings.data)
        self.engine = Engine(folder)
        self.news: list[Any] = []
        self.mix = self.restarted()

    def restarted(self) -> LiveMix:
        """Return a mix of a backstage that has just started."""
        return LiveMix(
            self.context,
            self.library.reader,
            self.store,
            self.folder,
            self.news.append,
            file=self.file,
        )

    async def fill(self, tempi: tuple[float, ...] = (120.0, 121.0, 122.0), **how: Any) -> None:
        for number, bpm in enumerate(tempi, 1):
            track = await self.library.add(number)
            await self.library.prepare(track, bpm=bpm, length_s=LENGTH_S, **how)

    async def plan(self, name: str = "night") -> Any:
        async with self.context.database.reading() as connection:
            cursor = await connection.execute("SELECT id FROM tracks ORDER BY id")
            ids = [row[0] for row in await cursor.fetchall()]
        facts = await self.library.reader.of(ids)
        plan = plan_mix(list(facts.values()), ordered=True)
        await self.store.write(name, plan)
        return plan

    async def until(self, is_so: Any, limit_s: float = 300.0) -> None:
        """Perform until something is so."""
        end = self.engine.time_s + limit_s
        while not is_so():
            assert self.engine.time_s < end, await self.mix.status()
            await self.step()

    async def step(self) -> None:
        await self.mix.step(self.engine)
        self.engine.run(STEP_S)

    async def status(self) -> dict[str, Any]:
        return await self.mix.status()

    @property
    def place(self) -> int:
        return self.mix.state.place if self.mix.state else 10**6

    @property
    def is_blending(self) -> bool:
        return self.engine.playing() == [1, 2]


@pytest.fixture
def performance(runner: asyncio.Runner, tmp_path: Path) -> Iterator[Performance]:  # noqa: F811
    made = prep_context(tmp_path)
    yield Performance(runner.run(made.__aenter__()), tmp_path)
    runner.run(made.__aexit__(None, None, None))


@in_asyncio
async def test_a_plan_is_played_to_its_end_in_time(performance: Performance) -> None:
    await performance.fill()
    plan = await performance.plan()
    assert [each.kind for each in plan.transitions] == ["blend", "blend"]
    engine = performance.engine
    await performance.mix.start("night")
    await performance.until(lambda: performance.place == 0)
    apart = []
    while performance.mix.state is not None:
        await performance.step()
        if performance.is_blending:
            beats = [engine.offline.memory.reading(f"deck{n}.beat") % 4 for n in (1, 2)]
            apart.append((beats[0] - beats[1] + 2) % 4 - 2)
        assert engine.time_s < 300
    assert max(np.abs(apart)) < 0.01  # of a beat: bar on bar
    assert len(engine.loads) == 3
    assert min(engine.level[10:-10]) > 0.02  # never silent
    assert performance.news[-1].kind == "mix.done"


@in_asyncio
async def test_the_next_track_is_loaded_a_minute_before_and_queued_a_phrase(
    performance: Performance,
) -> None:
    await performance.fill()
    await performance.plan()
    await performance.mix.start("night")
    await performance.until(lambda: performance.place == 0)
    await performance.step()
    first, second = performance.engine.loads
    assert (first[1], second[1]) == (1, 2)
    assert second[0] - first[0] < 1.0
    state = performance.mix.state
    assert state is not None
    await performance.until(lambda: bool(state.start_frame))
    said = await performance.status()
    assert 8.0 < said["transition_in_s"] < 20.0
    waiting = performance.engine.conductor.waiting()
    assert all(command.source == Source.MIX for _, command in waiting)
    assert 20 < len(waiting) < live.MAX_COMMANDS


@in_asyncio
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(2, 6))]
)
async def test_a_backstage_that_is_killed_goes_on_where_it_was(
    performance: Performance, seed: int
) -> None:
    await performance.fill()
    await performance.plan()
    randomness = random.Random(seed)
    engine = performance.engine
    await performance.mix.start("night")
    kills = sorted(randomness.uniform(0.0, 150.0) for _ in range(6))
    while performance.mix.state is not None:
        await performance.step()
        if kills and engine.time_s > kills[0]:
            kills.pop(0)
            engine.run(randomness.choice([0.3, 1.0, 4.0]))  # while there is none
            performance.mix = performance.restarted()
            said = await performance.mix.status()  # at once, as a client may ask
            assert (said["running"], said["name"]) == (True, "night")
            with pytest.raises(Refused, match="runs"):
                await performance.mix.start("night")
        assert engine.time_s < 300
    assert min(engine.level[10:-30]) > 0.02
    assert len({name for _, _, name in engine.loads}) == 3
    assert not performance.news[:-1]


TOUCHED = ("fader", "eq.mid.gain", "filter", "trim", "stem.other.mute", "stem.bass.volume")


class Twins:
    """A performance that a hand interferes with, and the same one without."""

    def __init__(self, ours: Performance, other: Performance) -> None:
        self.ours, self.other = ours, other
        self.before: dict[str, float] = {}
        self.untouched: list[dict[str, float]] = []
        self.is_touched: set[str] = set()
        self.moved: set[str] = set()

    async def step(self) -> None:
        """Perform both; note what is elsewhere on ours, a step late: ramps may be 30 ms off."""
        for each in (self.ours, self.other):
            await each.step()
        self.untouched = [*self.untouched[-2:], self.other.engine.values()]
        for path in self.before.keys() - self.is_touched:
            near = [values[path] for values in self.untouched]
            if not min(near) - 1.0 <= self.before[path] <= max(near) + 1.0:
                self.moved.add(path)
        self.before = self.ours.engine.values()

    def set(self, path: str, value: float) -> None:
        """Set a control of ours."""
        self.is_touched.add(path)
        self.ours.engine.set(path, value)
        for each in (self.ours, self.other):
            each.engine.run(0.01)


@in_asyncio
async def test_a_hand_takes_over_at_a_hundred_moments_and_nothing_else_moves(
    performance: Performance, tmp_path: Path
) -> None:
    await performance.fill()
    await performance.plan()
    randomness = random.Random(5)
    (tmp_path / "twin").mkdir()
    other = Performance(performance.context, tmp_path / "twin", "twin-mix.json")
    twins, engine = Twins(performance, other), performance.engine
    for each in (performance, other):
        await each.mix.start("night")
    obeyed = 0
    while performance.place < 2:
        for _ in range(randomness.randrange(1, 4)):
            await twins.step()
        path = f"deck{randomness.choice((1, 2))}.{randomness.choice(TOUCHED)}"
        scale = find(path).scale
        value = randomness.uniform(max(scale.low, -30.0), scale.high)
        value = float(round(value)) if find(path).kind == "switch" else value
        loads = len(engine.loads)
        twins.set(path, value)
        assert engine.value(path) == pytest.approx(value)  # 10 ms later
        for _ in range(randomness.randrange(1, 5)):
            await twins.step()
            if len(engine.loads) == loads:  # else the mix has the deck again
                assert engine.value(path) == pytest.approx(value), path
        obeyed += 1
        twins.set(path, other.engine.value(path))
        await performance.mix.release()
        for _ in range(2):
            await twins.step()
        twins.is_touched.clear()
    assert twins.moved == set()
    assert obeyed > 60


@in_asyncio
async def test_a_deck_that_a_hand_stops_stays_stopped(performance: Performance) -> None:
    await performance.fill()
    await performance.plan()
    engine = performance.engine
    await performance.mix.start("night")
    await performance.until(lambda: engine.time_s > 10)
    engine.set("deck1.play", "off")
    for _ in range(20):
        await performance.step()
    assert engine.playing() == []
    assert (await performance.status())["note"] == "deck 1 was stopped by hand"
    engine.set("deck1.play", "on")
    await performance.until(lambda: performance.place == 1)


@in_asyncio
async def test_a_track_that_is_started_by_hand_is_the_next(performance: Performance) -> None:
    await performance.fill()
    await performance.plan()
    engine = performance.engine
    await performance.mix.start("night")
    await performance.until(lambda: engine.time_s > 10)
    engine.set("deck2.play", "on")
    engine.set("deck1.play", "off")
    await performance.until(lambda: performance.place == 1, 3.0)
    await performance.until(lambda: performance.place == 2)


@in_asyncio
async def test_a_jump_moves_the_transition(performance: Performance) -> None:
    await performance.fill()
    await performance.plan()
    engine = performance.engine
    await performance.mix.start("night")
    state = performance.mix.state
    assert state is not None
    await performance.until(lambda: bool(state.start_frame))
    first = state.start_frame
    engine.conductor.set_nowait("deck1.position", 10.0, HAND)
    await performance.step()
    await performance.step()
    await performance.step()
    assert state.start_frame == 0 or state.start_frame > first + 10 * 48_000
    await performance.until(lambda: bool(state.start_frame))
    assert state.start_frame > first + 10 * 48_000
    await performance.until(lambda: performance.place == 1)


@in_asyncio
async def test_a_jump_over_the_beginning_gets_another_transition(performance: Performance) -> None:
    await performance.fill()
    plan = await performance.plan()
    engine = performance.engine
    await performance.mix.start("night")
    await performance.until(lambda: engine.time_s > 10)
    engine.conductor.set_nowait("deck1.position", LENGTH_S - 6.0, HAND)
    await performance.until(lambda: performance.place == 1, 10.0)
    state = performance.mix.state
    assert state is not None
    assert state.plan.transitions[0] != plan.transitions[0]
    assert min(engine.level[10:]) > 0.02


@in_asyncio
async def test_another_tempo_by_hand_keeps_bars_together(performance: Performance) -> None:
    await performance.fill()
    await performance.plan()
    engine = performance.engine
    await performance.mix.start("night")
    await performance.until(lambda: engine.time_s > 20)
    engine.set("deck1.rate", 1.04)
    await performance.until(lambda: performance.is_blending)
    await performance.step()
    beats = [engine.offline.memory.reading(f"deck{n}.beat") % 4 for n in (1, 2)]
    assert abs((beats[0] - beats[1] + 2) % 4 - 2) < 0.02
    assert engine.value("deck1.rate") == pytest.approx(1.04)
    await performance.until(lambda: performance.place == 1)


@in_asyncio
async def test_a_track_that_cannot_be_loaded_is_left_out_with_the_reason(
    performance: Performance,
) -> None:
    await performance.fill()
    await performance.plan()
    await performance.mix.start("night")
    await performance.mix.step(performance.engine)
    folder = performance.context.places.bundles / "2.sfa"
    folder.rename(folder.with_name("gone.sfa"))
    await performance.until(lambda: performance.mix.state is None)
    assert [name for _, _, name in performance.engine.loads] == ["1.sfa", "3.sfa"]
    assert performance.news[0].kind == "mix.dropped"
    assert "is not there" in performance.news[0].sentence
    assert min(performance.engine.level[10:-10]) > 0.02


@in_asyncio
async def test_skip_begins_the_transition_at_the_next_phrase(performance: Performance) -> None:
    await performance.fill()
    await performance.plan()
    engine = performance.engine
    await performance.mix.start("night")
    await performance.until(lambda: engine.time_s > 5)
    await performance.mix.skip()
    await performance.until(lambda: performance.is_blending, 15.0)
    beats = [engine.offline.memory.reading(f"deck{n}.beat") % 4 for n in (1, 2)]
    assert abs((beats[0] - beats[1] + 2) % 4 - 2) < 0.01
    with pytest.raises(Refused, match="a transition is on its way"):
        await performance.mix.skip()
    await performance.until(lambda: performance.place == 1)


@in_asyncio
async def test_another_track_is_played_next(performance: Performance) -> None:
    await performance.fill()
    await performance.plan()
    await performance.mix.start("night")
    await performance.until(lambda: performance.engine.time_s > 5)
    await performance.mix.next(3)
    await performance.until(lambda: performance.place == 1)
    await performance.until(lambda: performance.mix.state is None)
    names = [name for _, _, name in performance.engine.loads]
    assert names == ["1.sfa", "2.sfa", "3.sfa", "2.sfa"]
    with pytest.raises(Refused, match="no mix runs"):
        await performance.mix.next(3)


@in_asyncio
async def test_a_mix_begins_with_the_track_that_plays(performance: Performance) -> None:
    await performance.fill()
    await performance.plan()
    engine = performance.engine
    engine.load(2, str(performance.context.places.bundles / "3.sfa"), 20.0)
    engine.set("deck2.play", "on")
    engine.run(0.1)
    await performance.mix.start("night")
    await performance.until(lambda: performance.mix.state is None)
    assert [name for _, _, name in engine.loads] == ["3.sfa", "1.sfa", "2.sfa"]
    assert min(engine.level[10:-10]) > 0.02


@in_asyncio
async def test_an_edited_plan_is_taken_over(performance: Performance) -> None:
    await performance.fill()
    plan = await performance.plan()
    await performance.mix.start("night")
    await performance.until(lambda: performance.engine.time_s > 5)
    shorter = replace(plan, tracks=plan.tracks[:2], transitions=plan.transitions[:1])
    await performance.mix.edited("night", shorter)
    await performance.until(lambda: performance.mix.state is None)
    assert len(performance.engine.loads) == 2
    await performance.mix.start("night")


MUTE = "stem.vocals.mute"


def heard_muted(seen: list[tuple[dict[int, int], dict[int, bool]]]) -> dict[int, set[bool]]:
    """Return of each track whether its vocals were muted while it played.

    Parameters
    ----------
    seen : list of (dict, dict)
        Again and again: the track on each deck that plays, and which decks have muted vocals.
    """
    found: dict[int, set[bool]] = {}
    for playing, muted in seen:
        for deck, track in playing.items():
            found.setdefault(track, set()).add(muted[deck])
    return found


@in_asyncio
async def test_a_stem_that_is_muted_in_the_plan_is_muted_live_as_in_a_render(
    performance: Performance,
) -> None:
    await performance.fill((120.0, 121.0, 122.0, 123.0))
    plan = await performance.plan()
    tracks = [replace(t, mute=("vocals",) if t.id in {1, 2, 4} else ()) for t in plan.tracks]
    facts = await performance.library.reader.of([t.id for t in tracks])
    plan = replan(replace(plan, tracks=tuple(tracks)), facts, 0)
    # Moves on it do nothing, but for the third track, which is not muted.
    moves = (Move(f"in.{MUTE}", 0.0, "on"), Move(f"in.{MUTE}", 4.0, "off"))
    transitions = [replace(each, moves=(*each.moves, *moves)) for each in plan.transitions]
    plan = replace(plan, transitions=tuple(transitions))
    await performance.store.write("night", plan)
    engine, live_seen = performance.engine, []
    await performance.mix.start("night")
    while performance.mix.state is not None:
        await performance.step()
        bundles = engine.offline.memory.engine["transport"]["bundle"]
        playing = {deck: int(Path(bundles[deck - 1].decode()).stem) for deck in engine.playing()}
        live_seen.append(
            (playing, {deck: engine.value(f"deck{deck}.{MUTE}") > 0 for deck in playing})
        )
    rendered_seen = []
    times, decks = times_of(plan, facts), {t.id: t.deck for t in plan.tracks}

    def watch(time_s: float, stage: Any) -> None:
        playing = {
            decks[track.id]: track.id
            for track, when in zip(plan.tracks, times, strict=True)
            if when.start_s + 0.1 < time_s < when.end_s - 0.1
        }
        muted = {deck: stage.get(f"deck{deck}.{MUTE}") > 0 for deck in playing}
        rendered_seen.append((playing, muted))

    bundles = {n: str(performance.context.places.bundles / f"{n}.sfa") for n in facts}
    for _ in perform(parse_script(mix_script(timetable(plan, facts), bundles)), watch=watch):
        pass
    found, rendered = heard_muted(live_seen), heard_muted(rendered_seen)
    assert found == rendered
    assert found == {1: {True}, 2: {True}, 3: {True, False}, 4: {True}}


@in_asyncio
async def test_a_track_that_is_played_sooner_keeps_its_muted_stems(
    performance: Performance,
) -> None:
    await performance.fill()
    plan = await performance.plan()
    last = replace(plan.tracks[2], mute=("vocals", "bass"), trim_db=-2.0)
    await performance.store.write("night", replace(plan, tracks=(*plan.tracks[:2], last)))
    engine = performance.engine
    await performance.mix.start("night")
    await performance.until(lambda: engine.time_s > 5)
    await performance.mix.next(3)
    await performance.until(lambda: performance.place == 1)
    state = performance.mix.state
    assert state is not None
    assert state.plan.tracks[1] == replace(last, deck=2, why="asked for")
    muted = [
        name for name in ("vocals", "drums", "bass") if engine.value(f"deck2.stem.{name}.mute")
    ]
    assert muted == ["vocals", "bass"]


@in_asyncio
async def test_what_makes_no_sense_is_refused(performance: Performance) -> None:
    await performance.fill((120.0, 121.0))
    await performance.plan()
    with pytest.raises(Refused, match="no mix runs"):
        await performance.mix.stop()
    with pytest.raises(Refused, match="no track at place 9"):
        await performance.mix.start("night", 8)
    with pytest.raises(Refused):
        await performance.mix.start("none")
    await performance.mix.start("night")
    with pytest.raises(Refused, match="runs"):
        await performance.mix.start("night")
    await performance.until(lambda: performance.place == 0)
    with pytest.raises(Refused, match="it plays, or was played"):
        await performance.mix.next(1)
    await performance.mix.stop()
    assert performance.engine.playing() == [1]

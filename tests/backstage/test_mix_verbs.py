"""``mix.*`` on a real library: plans made, shown, edited, planned anew, and what is refused."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from house import House, prep_context
from mix_library import MixLibrary
from open_library import in_asyncio, runner  # noqa: F401 - a fixture, found by its name

from sfa_engine.backstage.describer import Describer
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.mixes.auditions import Auditions
from sfa_engine.backstage.verbs.mixes import MAX_TRACKS, MixVerbs
from sfa_engine.backstage.verbs.words import WordVerbs
from sfa_engine.errors import Absent, Refused
from sfa_engine.library import playlists, tracks, trash
from sfa_engine.library.analysis import Analysis, store
from sfa_engine.library.ownership import assign
from sfa_engine.script.script import parse_script
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.wire import frames, protocol
from sfa_engine.wire.rights import Actor


class Shop:
    """A library, and the verbs on its mixes."""

    def __init__(self, context: Any) -> None:
        self.library = MixLibrary(context)
        self.database = context.database
        self.context = context
        words = WordVerbs(context, Describer(context))
        auditions = Auditions(context.settings.data, context.places.bundles)
        dispatcher = Dispatcher(context.queue, {}, {})
        self.verbs = MixVerbs(context, self.library.reader, words, auditions, dispatcher)

    async def fill(self, count: int = 4) -> None:
        for number in range(1, count + 1):
            track = await self.library.add(number)
            await self.library.prepare(track, bpm=120.0 + number)

    async def playlist(self, name: str, numbers: list[int]) -> None:
        async with self.database.transaction() as connection:
            made = await playlists.create(connection, name)
            await playlists.append(connection, made, numbers)

    async def analysed(self, count: int, first: int = 1000) -> list[int]:
        """Add tracks that have an analysis and a length, and no files."""
        numbers = []
        for number in range(count):
            track = await self.library.add(first + number)
            bpm = 118.0 + number % 12
            async with self.database.transaction(durable=False) as connection:
                await tracks.set_bundle(connection, track, f"{track}.sfa", 240.0)
                found = Analysis("1", bpm=bpm, confidence=0.9, key="A minor", energy=number / count)
                grid = Grid((Anchor(0.0, 0.0),), bpm)
                await store(connection, track, found, grid=grid)
            numbers.append(track)
        return numbers


@pytest.fixture
def shop(runner: asyncio.Runner, tmp_path: Path) -> Iterator[Shop]:  # noqa: F811
    made = prep_context(tmp_path)
    context = runner.run(made.__aenter__())
    yield Shop(context)
    runner.run(made.__aexit__(None, None, None))


@in_asyncio
async def test_a_playlist_becomes_a_plan_that_is_stored_and_shown_with_times(
    shop: Shop, tmp_path: Path
) -> None:
    await shop.fill()
    await shop.playlist("Friday", [1, 2, 3, 4])
    made = await shop.verbs.mix_plan("friday", playlist="friday", first=3, after=[[1, "#4"]])
    order = [track["id"] for track in made["tracks"]]
    assert sorted(order) == [1, 2, 3, 4]
    assert order[0] == 3
    assert order.index(4) == order.index(1) + 1
    assert made["notes"] == []
    assert made["path"] == str(tmp_path / "mixes" / "friday.toml")
    first, second = made["tracks"][:2]
    between = made["transitions"][0]
    assert first["start_s"] < second["start_s"] == between["start_s"]
    assert between["start_s"] < between["end_s"] == first["end_s"]
    assert made["length_s"] == made["tracks"][-1]["end_s"] > 100
    assert (first["name"], first["bpm"], first["camelot"]) == ("Artist 3 - Title 3", 123.0, "8A")
    assert await shop.verbs.mix_show("friday") == made
    listed = (await shop.verbs.mix_list())["mixes"]
    assert [(each["name"], each["tracks"]) for each in listed] == [("friday", 4)]


@in_asyncio
async def test_the_same_tracks_give_the_same_plan_and_none_is_replaced_unasked(shop: Shop) -> None:
    await shop.fill(3)
    given = [3, "Artist 1 - Title 1", 2]
    made = await shop.verbs.mix_plan("a", tracks=given, ordered=True)
    assert [track["id"] for track in made["tracks"]] == [3, 1, 2]
    with pytest.raises(Refused, match='there is a mix "a"'):
        await shop.verbs.mix_plan("a", tracks=given)
    again = await shop.verbs.mix_plan("a", tracks=given, ordered=True, replace=True)
    assert again["text"] == made["text"]


@in_asyncio
async def test_a_mix_is_made_of_what_words_find(shop: Shop) -> None:
    await shop.fill()
    made = await shop.verbs.mix_plan("words", words="around 122 bpm:<123.5", limit=2)
    assert sorted(track["id"] for track in made["tracks"]) == [1, 2]
    with pytest.raises(Refused, match="finds no track"):
        await shop.verbs.mix_plan("none", words="bpm:>300")


@in_asyncio
async def test_what_cannot_be_mixed_is_said(shop: Shop) -> None:
    await shop.fill(2)
    added = await shop.library.add(9)
    made = await shop.verbs.mix_plan("mix", tracks=[1, 2, 1, added])
    assert sorted(track["id"] for track in made["tracks"]) == [1, 2]
    assert made["notes"] == [
        "Artist 1 - Title 1 is twice in the list: used once",
        "Artist 9 - Title 9 is not prepared yet: left out",
    ]
    one = await shop.verbs.mix_plan("one", tracks=[1])
    assert (one["transitions"], one["notes"]) == ([], ["one track has no transitions"])
    with pytest.raises(Refused, match="none of the tracks is prepared"):
        await shop.verbs.mix_plan("none", tracks=[added])
    await shop.playlist("Empty", [])
    with pytest.raises(Refused, match='playlist "Empty" is empty'):
        await shop.verbs.mix_plan("none", playlist="empty")
    with pytest.raises(Refused, match="no tracks are given"):
        await shop.verbs.mix_plan("none", tracks=[])
    for both in ({}, {"playlist": "Empty", "words": "x"}):
        with pytest.raises(Refused, match="one of playlist, words and tracks"):
            await shop.verbs.mix_plan("none", **both)
    with pytest.raises(Refused, match="is not among the tracks"):
        await shop.verbs.mix_plan("none", tracks=[1], first=2)
    with pytest.raises(Absent, match="no track 99"):
        await shop.verbs.mix_plan("none", tracks=[99])
    with pytest.raises(Refused, match="10000 characters"):
        await shop.verbs.mix_plan("none", words="x" * 10_000)
    assert not (shop.context.settings.data / "mixes" / "none.toml").exists()


@in_asyncio
async def test_an_edited_text_is_checked_and_never_overwrites_another_edit(shop: Shop) -> None:
    await shop.fill(2)
    await shop.verbs.mix_plan("mix", tracks=[1, 2], ordered=True)
    there = await shop.verbs.mix_text("mix")
    edited = re.sub(r"trim_db = \S+", "trim_db = -6.5", there["text"]) + "# mine\n"
    saved = await shop.verbs.mix_save("mix", edited, there["digest"])
    assert {track["trim_db"] for track in saved["tracks"]} == {-6.5}
    assert (await shop.verbs.mix_text("mix"))["text"] == edited
    with pytest.raises(Refused, match='"mix" was changed meanwhile'):
        await shop.verbs.mix_save("mix", there["text"], there["digest"])
    line = next(n for n, x in enumerate(edited.splitlines(), 1) if x.startswith("into = "))
    with pytest.raises(Refused, match=f"line {line}: into is 7"):
        await shop.verbs.mix_save("mix", edited.replace("into = 2", "into = 7"))
    late = re.sub(r"out_s = \S+", "out_s = 500.0", edited)
    assert late != edited
    saved = await shop.verbs.mix_save("mix", late)
    assert "after its end" in saved["problem"]
    assert saved["length_s"] is None
    with pytest.raises(Refused, match="after its end"):
        await shop.verbs.mix_script("mix")


@in_asyncio
async def test_the_rest_is_planned_anew_without_what_is_gone(shop: Shop) -> None:
    await shop.fill(4)
    await shop.verbs.mix_plan("mix", tracks=[1, 2, 3, 4], ordered=True)
    await trash.remove(shop.database, shop.context.places, 2)
    there = await shop.verbs.mix_show("mix")
    assert [track["missing"] for track in there["tracks"]] == [False, True, False, False]
    assert "nothing is known of it" in there["problem"]
    made = await shop.verbs.mix_replan("mix")
    assert [track["id"] for track in made["tracks"]] == [1, 3, 4]
    assert [track["deck"] for track in made["tracks"]] == [1, 2, 1]
    assert made["notes"] == ["Artist 2 - Title 2 is not in the library any more: taken out"]
    assert (await shop.verbs.mix_show("mix"))["text"] == made["text"]
    made = await shop.verbs.mix_replan("mix", place=2, without=[4])
    assert [track["id"] for track in made["tracks"]] == [1, 3]
    with pytest.raises(Refused, match="track that plays"):
        await shop.verbs.mix_replan("mix", place=2, without=[3])
    with pytest.raises(Refused, match="no track at place 3"):
        await shop.verbs.mix_replan("mix", place=3)
    with pytest.raises(Refused, match="track 77 is not in the mix"):
        await shop.verbs.mix_replan("mix", without=[77])
    with pytest.raises(Refused, match="no track is left"):
        await shop.verbs.mix_replan("mix", without=[1, 3])


@in_asyncio
async def test_tracks_are_put_in_an_order_of_ones_own(shop: Shop) -> None:
    await shop.fill(4)
    await shop.verbs.mix_plan("mix", tracks=[1, 2, 3, 4], ordered=True, rate_pct=8.0)
    made = await shop.verbs.mix_replan("mix", order=[3, 1, 2, 4])
    assert [track["id"] for track in made["tracks"]] == [3, 1, 2, 4]
    assert [track["deck"] for track in made["tracks"]] == [1, 2, 1, 2]
    pairs = [(each["out"], each["into"]) for each in made["transitions"]]
    assert pairs == [(3, 1), (1, 2), (2, 4)]
    assert made["rate_pct"] == 8.0
    assert (await shop.verbs.mix_show("mix"))["text"] == made["text"]
    made = await shop.verbs.mix_replan("mix", place=3, order=[2, 4])
    assert [track["id"] for track in made["tracks"]] == [3, 1, 2, 4]
    for place, order in ((1, [1, 2, 3]), (1, [1, 2, 3, 3]), (3, [3, 1]), (1, [1, 2, 3, 9])):
        with pytest.raises(Refused, match="give each of them once"):
            await shop.verbs.mix_replan("mix", place=place, order=order)
    with pytest.raises(Refused, match="neither"):
        await shop.verbs.mix_replan("mix", order=[1, 2, 3, 4], reorder=True)
    text = made["text"].replace(
        "[[transition]] # 1 to 2\n", "[[transition]] # 1 to 2\nlocked = true\n"
    )
    assert text != made["text"]
    await shop.verbs.mix_save("mix", text)
    with pytest.raises(Refused, match="locked together"):
        await shop.verbs.mix_replan("mix", order=[1, 3, 2, 4])
    made = await shop.verbs.mix_replan("mix", order=[2, 3, 1, 4])
    assert made["transitions"][1]["locked"]


@in_asyncio
async def test_the_script_of_a_mix_can_be_parsed_and_loads_tracks_by_number(shop: Shop) -> None:
    await shop.fill(3)
    made = await shop.verbs.mix_plan("mix", tracks=[1, 2, 3], ordered=True)
    said = await shop.verbs.mix_script("mix")
    script = parse_script(said["script"])
    assert [event.words for event in script.events if event.verb == "load"] == ["#1", "#2", "#3"]
    assert said["length_s"] == made["length_s"]


@in_asyncio
async def test_mixes_are_renamed_and_removed(shop: Shop) -> None:
    await shop.fill(1)
    await shop.verbs.mix_plan("a", tracks=[1])
    await shop.verbs.mix_plan("b", tracks=[1])
    with pytest.raises(Refused, match='there is a mix "b"'):
        await shop.verbs.mix_rename("a", "b")
    await shop.verbs.mix_rename("a", "c")
    await shop.verbs.mix_remove("b")
    assert [each["name"] for each in (await shop.verbs.mix_list())["mixes"]] == ["c"]
    for verb in (shop.verbs.mix_remove, shop.verbs.mix_show, shop.verbs.mix_script):
        with pytest.raises(Refused, match='no mix "a"'):
            await verb("a")


@in_asyncio
async def test_a_mix_of_tracks_that_an_account_does_not_see_is_not_shown_to_it(shop: Shop) -> None:
    await shop.fill(2)
    async with shop.database.transaction() as connection:
        await assign(connection, 2, 7)
    await shop.verbs.mix_plan("mix", tracks=[1, 2])
    other = Actor(8, "user", frozenset({"read", "perform"}))
    owner = Actor(7, "user", frozenset({"read", "perform"}))
    assert len((await shop.verbs.mix_show("mix", actor=owner))["tracks"]) == 2
    for verb in (shop.verbs.mix_show, shop.verbs.mix_text, shop.verbs.mix_script):
        with pytest.raises(Absent, match="no track 2"):
            await verb("mix", actor=other)
    with pytest.raises(Absent, match="no track 2"):
        await shop.verbs.mix_plan("own", tracks=[1, 2], actor=other)


@pytest.mark.nightly
@in_asyncio
async def test_the_longest_mix_fits_into_an_answer_and_the_loop_goes_on_meanwhile(
    shop: Shop,
) -> None:
    numbers = await shop.analysed(MAX_TRACKS)
    waits = []

    async def watch() -> None:
        while True:
            began_s = time.monotonic()
            await asyncio.sleep(0.01)
            waits.append(time.monotonic() - began_s)

    watching = asyncio.create_task(watch())
    began_s = time.monotonic()
    made = await shop.verbs.mix_plan("long", tracks=numbers, arc="wave")
    took_s = time.monotonic() - began_s
    watching.cancel()
    assert len(made["tracks"]) == MAX_TRACKS
    assert len(frames.pack(made)) < protocol.MAX_BYTES * 0.8
    assert len((await shop.verbs.mix_script("long"))["script"]) > 10_000
    assert max(waits) < took_s / 4, sorted(waits)[-5:]
    more = await shop.analysed(1, first=5000)
    with pytest.raises(Refused, match=f"{MAX_TRACKS + 1} tracks are too many"):
        await shop.verbs.mix_plan("longer", tracks=[*numbers, *more])


@pytest.mark.slow
def test_a_plan_outlives_backstage(here: House) -> None:
    with here.start() as client:
        with pytest.raises(Refused, match='no playlist "x"'):
            client.call("mix.plan", name="m", playlist="x")
        with pytest.raises(Refused, match="name"):
            client.call("mix.plan", name="../m", playlist="x")
        text = 'version = 1\narc = "rising"\n'
        client.call("mix.save", name="m", text=text)
    here.kill()
    with here.start() as client:
        assert client.call("mix.list")["mixes"][0]["name"] == "m"
        assert client.call("mix.show", name="m")["text"] == text

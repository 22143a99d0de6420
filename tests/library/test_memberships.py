"""Members of tracks: joining, leaving, merging, assigning; and conditions on them."""

import asyncio

import pytest

from sfa_engine.library import ownership, tracks
from sfa_engine.library.database import Database, rows

ANN, BOB = 7, 8


def run(tmp_path, scenario):
    async def main():
        async with (
            await Database.open(tmp_path / "library.db") as database,
            database.transaction() as connection,
        ):
            await scenario(connection)

    asyncio.run(main())


async def made(connection, name, *accounts, shared=False):
    track, is_new = await tracks.add(connection, f"/{name}", content_hash=name)
    await ownership.join(connection, track.id, accounts, shared=shared, is_new=is_new)
    return track.id


async def state(connection, track):
    found = await rows(
        connection, "SELECT account FROM memberships WHERE track_id = ? ORDER BY account", (track,)
    )
    return (await tracks.get(connection, track)).account, [each["account"] for each in found]


def test_the_first_account_owns_a_track_and_others_join_it(tmp_path):
    async def scenario(connection):
        track = await made(connection, "a", ANN)
        assert await state(connection, track) == ("7", ["7"])
        await made(connection, "a", BOB)
        assert await state(connection, track) == ("7", ["7", "8"])
        await made(connection, "a", shared=True)
        assert await state(connection, track) == (None, ["7", "8"])
        await made(connection, "a", BOB)
        assert await state(connection, track) == (None, ["7", "8"])

    run(tmp_path, scenario)


def test_the_next_member_owns_what_the_owner_leaves_and_the_last_cannot_leave(tmp_path):
    async def scenario(connection):
        number = await made(connection, "a", ANN, BOB)

        async def leave(account):
            track = await tracks.get(connection, number)
            return await ownership.leave(connection, track, account)

        assert not await leave(6)
        assert not await leave(ownership.MACHINE)
        assert await leave(ANN)
        assert await state(connection, number) == ("8", ["8"])
        assert not await leave(BOB)
        assert await state(connection, number) == ("8", ["8"])

    run(tmp_path, scenario)


def test_a_merged_track_gives_its_members(tmp_path):
    async def scenario(connection):
        kept = await made(connection, "a", ANN)
        other = await made(connection, "b", BOB)
        await tracks.set_content(connection, other, "a")
        assert await state(connection, kept) == ("7", ["7", "8"])
        third = await made(connection, "c", shared=True)
        await tracks.set_content(connection, third, "a")
        assert await state(connection, kept) == (None, ["7", "8"])

    run(tmp_path, scenario)


@pytest.mark.parametrize(("account", "left"), [(BOB, ("8", ["8"])), (0, (None, []))])
def test_an_assigned_track_is_one_accounts_or_the_machines(tmp_path, account, left):
    async def scenario(connection):
        track = await made(connection, "a", ANN)
        await ownership.assign(connection, track, account)
        assert await state(connection, track) == left

    run(tmp_path, scenario)


def test_conditions_choose_tracks_by_their_members(tmp_path):
    async def scenario(connection):
        mine = await made(connection, "a", ANN)
        ours = await made(connection, "b", ANN, BOB)
        yours = await made(connection, "c", BOB)
        shared = await made(connection, "d", ANN, shared=True)
        nobodys = await made(connection, "e", shared=True)

        async def chosen(condition):
            found = await rows(connection, f"SELECT id FROM tracks WHERE {condition}")  # noqa: S608
            return {each["id"] for each in found}

        assert await chosen(ownership.own(ANN)) == {mine, ours, shared}
        assert await chosen(ownership.alone(ANN)) == {mine, ours}
        assert await chosen(ownership.SHARED) == {shared, nobodys}
        assert await chosen(ownership.own(0)) == await chosen(ownership.alone(0))
        assert await chosen(ownership.own(0)) == {shared, nobodys}
        track = await tracks.get(connection, shared)
        assert await ownership.owner_for(connection, track, ANN) == 0
        track = await tracks.get(connection, ours)
        assert await ownership.owner_for(connection, track, BOB) == BOB
        assert await ownership.owner_for(connection, track, 6) == ANN
        assert yours

    run(tmp_path, scenario)

"""A Spotify playlist becomes one of the library, with its covers: API, tools and workers are real.

Only the sites are not: Spotify is a server of ours, and spotdl a program that makes music.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fake_spotify import (
    CLIENT_ID,
    CLIENT_SECRET,
    FakeSpotify,
    album_object,
    entry,
    identity,
    status,
    track_object,
)
from house import prep_context

from sfa_engine.backstage.core import Core
from sfa_engine.backstage.niceness import Niceness
from sfa_engine.backstage.settings import SeparationConfig, SpotifyConfig
from sfa_engine.backstage.spotify_accounts import LoginVault, SpotifyAccounts
from sfa_engine.backstage.spotify_session import SpotifySession
from sfa_engine.library.secret import Secrets
from sfa_engine.wire.rights import Actor
from sfa_engine.wire.verbs import SCOPES

pytestmark = pytest.mark.slow

JPEG = b"\xff\xd8\xff\xe0 a picture of 640 by 640"
LIST = identity(77)
URL = f"https://open.spotify.com/playlist/{LIST}"
# As spotdl: a file named by the track, in the folder where it runs; the sound is the track's own.
SPOTDL = """#!{python}
import sys
if "--version" in sys.argv:
    sys.exit(print("4.2.0"))
import numpy as np
import soundfile
seed = int(sys.argv[2][-22:])
sound = np.random.default_rng(seed).normal(0.0, 0.1, (48_000, 2))
soundfile.write(f"Song {{seed}}.wav", sound, 48_000)
print(f'Downloaded "Song {{seed}}": https://music.youtube.com/watch?v=abc', flush=True)
"""


@pytest.fixture
def spotify(fake: FakeSpotify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSpotify:
    """Serve two songs with covers, and put a spotdl on PATH."""
    program = tmp_path / "bin" / "spotdl"
    program.parent.mkdir()
    program.write_text(SPOTDL.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    fake.images["/image/large"] = JPEG
    pictures = [{"url": f"{fake.url}/image/{name}", "width": width} for name, width in
                (("small", 64), ("large", 640))]  # fmt: skip
    album = album_object(images=pictures)
    for number in (1, 2):
        song = track_object(number, album=album, duration_ms=1000)
        fake.tracks[identity(number)] = song
    fake.owners[LIST] = ""  # what an application sees
    listed(fake, 2, 1)
    return fake


def listed(fake: FakeSpotify, *numbers: int) -> None:
    """Have the playlist list some songs."""
    songs = [entry(fake.tracks[identity(number)]) for number in numbers]
    local = entry(track_object(9, is_local=True), is_local=True)
    fake.playlists[LIST] = ("Friday", [*songs, local])


@asynccontextmanager
async def backstage(fake: FakeSpotify, folder: Path) -> AsyncIterator[Core]:
    """Run a backstage in this process, whose Spotify is the fake one."""
    async with prep_context(folder) as plain:
        settings = replace(
            plain.settings,
            spotify=SpotifyConfig(CLIENT_ID, CLIENT_SECRET),
            separation=SeparationConfig("none"),
        )
        context = replace(plain, settings=settings)
        session = SpotifySession(settings, Secrets(folder), fake.api_url, fake.url)
        secrets = Secrets(folder)

        def open_session(vault: LoginVault) -> SpotifySession:
            return SpotifySession(settings, vault, fake.api_url, fake.url)

        accounts = SpotifyAccounts(session, secrets, open_session, CLIENT_ID)
        async with session, accounts:
            core = Core(context, folder, session, accounts, Niceness())
            running = asyncio.create_task(core.dispatcher.run())
            try:
                yield core
            finally:
                running.cancel()
                await asyncio.wait([running])


async def call(core: Core, verb: str, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await core.verbs[verb](**params)
    return answer


async def prepared(core: Core, *, engine: str = "none", again: bool = False) -> dict[str, Any]:
    """Import the playlist; return the counts of its jobs, and its tracks, when all has ended."""
    said = await call(core, "prep.add", sources=[URL], engine=engine, again=again)
    give_up = time.monotonic() + 100.0
    while True:
        batch = await call(core, "prep.batch", batch=said["batch"])
        if not batch["counts"]["waiting"] and not batch["counts"]["running"]:
            return batch | await call(core, "prep.tracks", batch=said["batch"])
        assert time.monotonic() < give_up
        await asyncio.sleep(0.05)


def content_of(path: str) -> bytes:
    return Path(path).read_bytes() if Path(path).exists() else b""


async def titles(core: Core) -> list[str]:
    found = await call(core, "library.playlist", name="Friday")
    return [each["title"] for each in found["entries"]]


def test_a_playlist_is_imported_in_its_order_with_covers_and_updated_by_another_import(
    spotify: FakeSpotify, tmp_path: Path
) -> None:
    async def main() -> None:
        async with backstage(spotify, tmp_path) as core:
            said = await prepared(core)
            assert said["counts"]["failed"] == 0
            assert said["playlists"] == ["Friday"]
            assert await titles(core) == ["Song 2", "Song 1"]
            cover = await call(core, "library.cover", track="Song 1")
            assert (cover["kind"], cover["bytes"]) == ("jpg", len(JPEG))
            shown = await call(core, "library.show", track="Song 1")
            assert shown["cover_path"] == cover["path"] == f"{shown['bundle']}/cover.jpg"
            assert content_of(cover["path"]) == JPEG
            assert "authorization" not in {
                name.casefold() for each in spotify.image_headers for name in each
            }

            await call(core, "library.playlist_add", name="Friday", tracks=["Song 1"])
            listed(spotify, 1, 2)
            await prepared(core)
            assert await titles(core) == ["Song 1", "Song 2", "Song 1"]
            found = await call(core, "library.playlists")
            assert [(each["name"], each["source"]) for each in found["playlists"]] == [
                ("Friday", URL)
            ]

    asyncio.run(main())


def test_a_track_is_imported_without_the_cover_that_cannot_be_fetched(
    spotify: FakeSpotify, tmp_path: Path
) -> None:
    spotify.images["/image/large"] = b"<html>not a picture</html>"
    listed(spotify, 1)

    async def main() -> None:
        async with backstage(spotify, tmp_path) as core:
            said = await prepared(core)
            assert said["counts"]["failed"] == 0
            (track,) = said["tracks"]
            assert track["notes"] == ["no cover: Spotify's covers: no picture, but b'<html>not a '"]
            # The next import looks again; new stems keep what it found.
            spotify.images["/image/large"] = JPEG
            await prepared(core, engine="sketch")
            shown = await call(core, "library.show", track="Song 1")
            assert len(shown["stems"]) == 4
            give_up = time.monotonic() + 10.0
            # It is written after the commit.
            while content_of(f"{shown['bundle']}/cover.jpg") != JPEG:
                assert time.monotonic() < give_up
                await asyncio.sleep(0.05)

    asyncio.run(main())


def test_an_api_that_fails_makes_no_playlist(spotify: FakeSpotify, tmp_path: Path) -> None:
    listed(spotify)
    spotify.playlists[LIST] = ("Friday", [])
    spotify.faults += [status(404)]

    async def main() -> None:
        async with backstage(spotify, tmp_path) as core:
            said = await prepared(core)
            assert (said["counts"]["failed"], said["playlists"]) == (1, [])
            assert await call(core, "library.playlists") == {"playlists": []}
            await prepared(core)  # an empty one is a playlist
            assert await titles(core) == []

    asyncio.run(main())


def test_an_accounts_own_playlist_is_imported_by_its_own_login(
    spotify: FakeSpotify, tmp_path: Path
) -> None:
    del spotify.owners[LIST]  # the person's, who logs in below; not the application's

    async def main() -> None:
        ann, bob = (Actor(number, "user", SCOPES) for number in (7, 8))
        async with backstage(spotify, tmp_path) as core:
            said = core.verbs["account.spotify_begin"](actor=ann)
            query = {k: v[0] for k, v in parse_qs(urlsplit(said["address"]).query).items()}
            back = {"state": query["state"], "code": spotify.grant(said["address"])}
            address = f"{query['redirect_uri']}?{urlencode(back)}"
            done = await call(core, "account.spotify_finish", address=address, actor=ann)
            assert done == {"logged_in": True}
            assert await call(core, "account.spotify", actor=bob) == {"logged_in": False}
            for actor, ended in ((bob, "failed"), (ann, "done")):
                said = await call(core, "prep.add", sources=[URL], engine="none", actor=actor)
                give_up = time.monotonic() + 100.0
                while True:
                    shown = await call(core, "jobs.show", job=said["jobs"][0], actor=actor)
                    if shown["state"] not in {"waiting", "running"}:
                        break
                    assert time.monotonic() < give_up
                    await asyncio.sleep(0.05)
                assert (actor.account, shown["state"]) == (actor.account, ended)

    asyncio.run(main())

"""The secret of the user's Spotify application: from the encrypted store, or the configuration."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_spotify import CLIENT_ID, CLIENT_SECRET, FakeSpotify, identity, track_object

from sfa_engine.backstage.services.spotify_link import parse_link
from sfa_engine.backstage.settings import Settings, SpotifyConfig
from sfa_engine.backstage.spotify_session import SpotifySession
from sfa_engine.errors import Refused
from sfa_engine.library.secret import Secrets

TRACK = f"https://open.spotify.com/track/{identity(1)}"


def ask(folder: Path, fake: FakeSpotify, secret: str = "") -> str:
    fake.tracks[identity(1)] = track_object(1)
    settings = Settings(folder, folder, folder, spotify=SpotifyConfig(CLIENT_ID, secret))

    async def main() -> str:
        async with SpotifySession(settings, Secrets(folder), fake.api_url, fake.url) as catalogue:
            found = await catalogue.listing(parse_link(TRACK), lambda _done, _of: None)
        return found.tracks[0].title

    return asyncio.run(main())


def test_the_encrypted_store_is_enough(tmp_path: Path, fake: FakeSpotify) -> None:
    Secrets(tmp_path).set("spotify", CLIENT_SECRET)
    assert ask(tmp_path, fake)


def test_the_configuration_goes_before_it(tmp_path: Path, fake: FakeSpotify) -> None:
    Secrets(tmp_path).set("spotify", "an old one")
    assert ask(tmp_path, fake, CLIENT_SECRET)


def test_without_either_the_way_is_told(tmp_path: Path, fake: FakeSpotify) -> None:
    with pytest.raises(Refused, match="keep its secret with `sfa secret set spotify`"):
        ask(tmp_path, fake)

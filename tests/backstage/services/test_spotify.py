"""Listings of tracks, albums and playlists, from a server that speaks Spotify's shapes."""

from __future__ import annotations

import asyncio

import pytest
from fake_spotify import (
    CLIENT_ID,
    ME,
    album_object,
    cut_off,
    entry,
    fine,
    hang_up,
    identity,
    page_of,
    simple,
    slow,
    status,
    track_object,
)

from sfa_engine.backstage.services import json_api, spotify
from sfa_engine.backstage.services.breaker import Breaker
from sfa_engine.backstage.services.errors import Denied, ServiceError
from sfa_engine.backstage.services.spotify import Spotify
from sfa_engine.backstage.services.token import ClientToken
from sfa_engine.backstage.services.track_info import Skipped, TrackInfo
from sfa_engine.errors import Refused

TRACK = f"https://open.spotify.com/track/{identity(1)}"
ALBUM = f"spotify:album:{identity(2)}"
PLAYLIST = f"https://open.spotify.com/playlist/{identity(3)}"


@pytest.fixture(autouse=True)
def catalogue(fake):
    fake.tracks[identity(1)] = track_object(1)
    fake.owners[identity(3)] = ""  # what the application itself may see


def listing(on_the_road, link, **more):
    return on_the_road(lambda road: road.spotify(**more).listing(link))


def test_a_track_comes_with_all_that_is_known_of_it(on_the_road):
    assert listing(on_the_road, TRACK).tracks == (
        TrackInfo(
            title="Song 1",
            artists=("The Band", "A Guest"),
            album="Album 1",
            duration_s=200.001,
            isrc="GBAYE9800001",
            url=TRACK,
            cover_url="https://i.scdn.co/image/large",
            track_number=2,
            year=1998,
        ),
    )


def test_an_album_of_more_than_a_page_comes_whole_and_in_order(on_the_road, fake):
    tracks = [simple(track_object(n)) for n in range(123)]
    fake.albums[identity(2)] = (album_object(2), tracks)
    told = []
    found = on_the_road(
        lambda road: road.spotify().listing(ALBUM, lambda done, of: told.append((done, of)))
    )
    assert [w.title for w in found.tracks] == [f"Song {n}" for n in range(123)]
    assert {w.album for w in found.tracks} == {"Album 2"}
    assert {w.isrc for w in found.tracks} == {None}
    assert told == [(50, 123), (100, 123), (123, 123)]


@pytest.mark.parametrize("number", [0, 1, 50, 51, 100, 101, 250])
def test_a_playlist_comes_whole_however_its_pages_end(on_the_road, fake, number):
    fake.playlists[identity(3)] = ("Set", [entry(track_object(n)) for n in range(number)])
    found = listing(on_the_road, PLAYLIST)
    assert found.title == "Set"
    assert [w.title for w in found.tracks] == [f"Song {n}" for n in range(number)]


def test_what_cannot_be_had_is_left_out_and_told(on_the_road, fake):
    closed = {"is_playable": False, "restrictions": {"reason": "market"}}
    local = track_object(5, id=None, is_local=True, name="My Edit")
    fake.playlists[identity(3)] = (
        "Set",
        [
            entry(track_object(1)),
            entry(None),
            entry(local, is_local=True),
            entry({"type": "episode", "name": "A Talk", "id": identity(7)}),
            entry(track_object(6, **closed)),
            entry(track_object(1)),
        ],
    )
    found = listing(on_the_road, PLAYLIST, market="DE")
    assert [w.title for w in found.tracks] == ["Song 1", "Song 1"]
    assert found.skipped == (
        Skipped("(no title)", "no longer at Spotify"),
        Skipped("My Edit", "a local file of the playlist's owner"),
        Skipped("A Talk", "episode, not music"),
        Skipped("Song 6", "not available in this country"),
    )
    assert "market=DE" in fake.asked[-1]


def test_what_is_gone_is_left_out_of_a_playlist_whose_name_is_half_a_letter(on_the_road, fake):
    ghost = track_object(5, name="", artists=[{"name": ""}])
    fake.playlists[identity(3)] = ("Set \ud83d", [entry(ghost), entry(track_object(1))])
    found = listing(on_the_road, PLAYLIST)
    assert found.title == "Set ?"
    assert [w.title for w in found.tracks] == ["Song 1"]
    assert found.skipped == (Skipped("(no title)", "no longer at Spotify"),)


def test_entries_of_the_older_shape_are_read_too(on_the_road, fake):
    older = entry(None) | {"track": track_object(4)}
    del older["item"]
    fake.playlists[identity(3)] = ("Set", [older])
    assert listing(on_the_road, PLAYLIST).tracks[0].title == "Song 4"


def test_a_playlist_of_somebody_else_is_refused_with_what_to_do(on_the_road, fake):
    fake.playlists[identity(3)] = ("Secret", [])
    fake.owners[identity(3)] = ME
    with pytest.raises(Denied, match=r'does not show the contents of "Secret"; .*log in'):
        listing(on_the_road, PLAYLIST)


@pytest.mark.parametrize("link", [f"spotify:track:{identity(99)}", f"spotify:album:{identity(99)}"])
def test_what_is_not_there_is_refused_at_once(on_the_road, fake, link):
    with pytest.raises(Denied, match=r"refuses \(404\): Resource not found; check the link"):
        listing(on_the_road, link)
    assert len(fake.asked) == 1


def test_a_country_that_is_none_is_refused():
    with pytest.raises(Refused, match='invalid country "Germany"'):
        Spotify(None, None, market="Germany")


# ---------------------------------------------------------------- tokens


def test_a_token_is_shared_by_all_who_ask_at_once(on_the_road, fake):
    async def many(road):
        return await asyncio.gather(*(road.spotify().listing(TRACK) for _ in range(8)))

    assert len(on_the_road(many)) == 8
    assert fake.count["token"] == 1


def test_a_token_is_kept_for_3500_seconds_and_no_longer(on_the_road, fake):
    async def over_time(road):
        for now_s, tokens in ((0, 1), (3499, 1), (3500, 2)):
            road.clock.now_s = 1000 + now_s
            await road.spotify().listing(TRACK)
            assert fake.count["token"] == tokens

    on_the_road(over_time)


def test_a_token_that_has_ended_early_is_renewed_once_by_one_of_many(on_the_road, fake):
    async def many(road):
        await road.token.bearer()
        fake.tokens.clear()
        fake.tokens["another application's"] = ""
        return await asyncio.gather(*(road.spotify().listing(TRACK) for _ in range(8)))

    assert len(on_the_road(many)) == 8
    assert fake.count["token"] == 2


def test_a_second_401_is_told_and_not_tried_for_ever(on_the_road, fake):
    fake.faults += [status(401, "The access token expired")] * 2
    with pytest.raises(Denied, match=r"\(401\): The access token expired; check the credentials"):
        listing(on_the_road, TRACK)
    assert len(fake.asked) == 2


def test_wrong_credentials_are_told_with_where_to_find_the_right_ones(on_the_road):
    with pytest.raises(Refused, match=r"not accept the credentials: Invalid client; compare"):
        on_the_road(
            lambda road: road.spotify(
                ClientToken(road.accounts, CLIENT_ID, "wrong", road.clock)
            ).listing(TRACK)
        )


def test_no_credentials_are_told_before_anybody_is_asked():
    with pytest.raises(Refused, match="no credentials for Spotify; make an application"):
        ClientToken(None, "", "")


def test_an_accounts_service_that_gives_no_token_is_told(on_the_road, fake):
    fake.token_faults.append(page_of("{}", kind="application/json"))
    with pytest.raises(ServiceError, match="gave no token"):
        listing(on_the_road, TRACK)


# ---------------------------------------------------------------- faults on the way


@pytest.mark.parametrize(
    "fault",
    [
        status(500, "Server error."),
        status(502, "Bad gateway."),
        status(503),
        cut_off,
        hang_up,
        page_of("<html>login</html>"),
        page_of("[1, 2"),
    ],
    ids=["500", "502", "503", "cut off", "hung up", "html", "half JSON"],
)
def test_a_passing_fault_is_not_noticed(on_the_road, fake, clock, fault):
    fake.faults += [fault, fault]
    assert listing(on_the_road, TRACK).tracks[0].title == "Song 1"
    assert clock.waits == [0.5, 1.0]  # half of 1 and of 2: the jitter is fixed here


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (status(500), "Spotify has an internal error: 500"),
        (cut_off, "Spotify broke the connection"),
        (page_of("<html>login</html>"), "did not answer with a JSON object: '<html>login</html>'"),
    ],
)
def test_a_fault_that_stays_is_told_after_four_tries(on_the_road, fake, fault, said):
    fake.faults += [fault] * 10
    with pytest.raises(ServiceError, match=said):
        listing(on_the_road, TRACK)
    assert len(fake.asked) == 4


def test_a_page_that_fails_once_in_the_middle_does_not_lose_a_track(on_the_road, fake):
    fake.playlists[identity(3)] = ("Set", [entry(track_object(n)) for n in range(120)])
    fake.faults += [fine, fine, status(503), fine, cut_off, fine]
    assert len(listing(on_the_road, PLAYLIST).tracks) == 120


def test_retry_after_is_obeyed(on_the_road, fake, clock):
    fake.faults.append(status(429, "API rate limit exceeded", Retry_After="7"))
    listing(on_the_road, TRACK)
    assert clock.waits == [7.0]


def test_a_retry_after_beyond_a_minute_is_left_to_the_queue(on_the_road, fake, clock):
    fake.faults.append(status(429, "API rate limit exceeded", Retry_After="43200"))
    with pytest.raises(ServiceError, match="the rate of requests; try again in 43200 s") as told:
        listing(on_the_road, TRACK)
    assert told.value.retry_after_s == 43200
    assert clock.waits == []


def test_a_service_that_only_says_429_is_not_asked_for_ever(on_the_road, fake):
    fake.faults += [status(429)] * 10
    with pytest.raises(ServiceError, match="limits the rate of requests"):
        listing(on_the_road, TRACK)
    assert len(fake.asked) == 4


def test_a_service_that_does_not_answer_is_given_up(on_the_road, fake, monkeypatch):
    monkeypatch.setattr(json_api, "CALL_TIMEOUT_S", 0.02)
    fake.faults += [slow] * 4
    with pytest.raises(ServiceError, match="does not answer in time"):
        listing(on_the_road, TRACK)


def test_a_service_that_is_not_there_is_told(on_the_road, fake):
    fake.server.server_close()
    with pytest.raises(ServiceError, match=r"cannot be reached: .*; is the network on\?"):
        listing(on_the_road, TRACK)


def test_an_answer_without_end_is_not_read_to_it(on_the_road, fake, monkeypatch):
    monkeypatch.setattr(json_api, "MAX_BYTES", 1000)
    fake.faults += [page_of("[" + "1," * 1000)] * 4
    with pytest.raises(ServiceError, match="more than 1000 bytes"):
        listing(on_the_road, TRACK)


def test_five_failures_in_a_row_leave_the_service_alone(on_the_road, fake, clock):
    fake.faults += [status(500)] * 5

    async def until_open(road):
        breaker = Breaker("Spotify", clock=clock)
        for said in ("internal error", "internal error", "failed 5 times in a row"):
            with pytest.raises(ServiceError, match=said):
                await road.spotify(breaker=breaker).listing(TRACK)
        assert len(fake.asked) == 5
        clock.now_s += 30
        await road.spotify(breaker=breaker).listing(TRACK)
        assert breaker.state == "closed"

    on_the_road(until_open)


def test_a_call_that_is_cancelled_frees_the_trial(on_the_road, fake, clock):
    async def cancelled(road):
        breaker = Breaker("Spotify", failures=1, clock=clock)
        breaker.failed()
        clock.now_s += 30
        fake.faults.append(slow)
        task = asyncio.create_task(road.api(fake.api_url, breaker=breaker).request("GET", fake.url))
        await asyncio.to_thread(fake.reached.wait, 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        breaker.admit()

    on_the_road(cancelled)


# ---------------------------------------------------------------- answers that mislead


def test_a_redirect_is_told_and_not_followed(on_the_road, fake):
    fake.faults.append(page_of("", 302, Location="http://wifi.hotel.example/login"))
    with pytest.raises(ServiceError, match=r"redirects \(302\) to http://wifi.hotel.example/login"):
        listing(on_the_road, TRACK)


def test_a_next_page_elsewhere_is_not_sent_our_token(on_the_road, fake):
    fake.albums[identity(2)] = (album_object(2), [])
    elsewhere = {"items": [], "next": "https://evil.example/v1/albums", "total": 0}
    fake.faults.append(lambda h: h.answer(200, album_object(2) | {"tracks": elsewhere}))
    with pytest.raises(ServiceError, match="another host"):
        listing(on_the_road, ALBUM)


def test_pages_that_lead_in_a_circle_end(on_the_road, fake, monkeypatch):
    monkeypatch.setattr(spotify, "MAX_PAGES", 3)
    page = {"items": [], "next": f"{fake.api_url}/albums/{identity(2)}/tracks", "total": 0}
    fake.faults.append(lambda h: h.answer(200, album_object(2) | {"tracks": page}))
    fake.faults += [lambda h: h.answer(200, page)] * 3
    with pytest.raises(ServiceError, match="do not end"):
        listing(on_the_road, ALBUM)


@pytest.mark.parametrize("tracks", [None, [], {"items": None}, {"next": None}])
def test_an_album_of_another_shape_is_told(on_the_road, fake, tracks):
    fake.faults.append(lambda h: h.answer(200, album_object(2) | {"tracks": tracks}))
    with pytest.raises(ServiceError, match="without"):
        listing(on_the_road, ALBUM)


@pytest.mark.parametrize("token", ["", None, "two words", "ü", 5])
def test_a_token_that_cannot_be_sent_is_no_token(on_the_road, fake, token):
    fake.token_faults.append(lambda h: h.answer(200, {"access_token": token, "expires_in": 3600}))
    with pytest.raises(ServiceError, match="gave no token"):
        listing(on_the_road, TRACK)

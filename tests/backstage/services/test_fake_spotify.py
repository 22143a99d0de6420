"""The fake refuses what the real API refuses, in its words; else tests against it prove nothing."""

from __future__ import annotations

import httpx
import pytest
from fake_spotify import CLIENT_ID, CLIENT_SECRET, album_object, entry, identity, track_object


@pytest.fixture
def ask(fake):
    """Return the answer to a GET, with a good token unless other headers are given."""
    fake.tracks[identity(1)] = track_object(1)
    fake.albums[identity(2)] = (album_object(2), [])
    fake.playlists[identity(3)] = ("Set", [entry(track_object(n)) for n in range(60)])
    fake.owners[identity(3)] = ""
    good = {"Authorization": f"Bearer {fake.new_token('')}"}

    def ask(path, headers=good):
        return httpx.get(fake.api_url + path, headers=headers)

    return ask


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 401, "No token provided"),
        ({"Authorization": "Basic abc"}, 400, "Only valid bearer authentication supported"),
        ({"Authorization": "Bearer old"}, 401, "The access token expired"),
    ],
)
def test_no_request_passes_without_a_bearer(ask, headers, status, message):
    answer = ask(f"/tracks/{identity(1)}", headers)
    assert answer.status_code == status
    assert answer.json() == {"error": {"status": status, "message": message}}


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/tracks/abc", 400, "Invalid base62 id"),
        (f"/tracks/{identity(5)}", 404, "Resource not found"),
        (f"/albums/{identity(2)}/tracks?limit=51", 400, "Invalid limit"),
        (f"/playlists/{identity(3)}/items?limit=51", 400, "Invalid limit"),
        (f"/playlists/{identity(3)}/items?limit=100", 400, "Invalid limit"),
        (f"/playlists/{identity(3)}/items?limit=0", 400, "Invalid limit"),
        (f"/playlists/{identity(3)}/tracks", 403, "Forbidden"),
        ("/me/playlists", 401, "Unauthorized."),
    ],
)
def test_what_the_api_refuses_is_refused(ask, path, status, message):
    answer = ask(path)
    assert answer.json() == {"error": {"status": status, "message": message}}
    assert answer.status_code == status


def test_a_page_says_where_the_next_is_and_the_last_says_null(ask, fake):
    first = ask(f"/playlists/{identity(3)}/items?limit=50").json()
    assert (len(first["items"]), first["total"], first["offset"]) == (50, 60, 0)
    last = ask(first["next"].removeprefix(fake.api_url)).json()
    assert (len(last["items"]), last["next"], last["offset"]) == (10, None, 50)


@pytest.mark.parametrize(
    ("form", "auth", "error"),
    [
        ({"grant_type": "client_credentials"}, (CLIENT_ID, "wrong"), "invalid_client"),
        ({"grant_type": "password"}, (CLIENT_ID, CLIENT_SECRET), "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "client_id": CLIENT_ID}, None, "invalid_grant"),
        ({"grant_type": "authorization_code", "client_id": CLIENT_ID}, None, "invalid_grant"),
    ],
)
def test_the_accounts_service_refuses_in_the_words_of_oauth(fake, form, auth, error):
    answer = httpx.post(f"{fake.url}/api/token", data=form, auth=auth)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert "error_description" in answer.json()

"""A server on 127.0.0.1 that speaks as Spotify's Web API and accounts service do.

Shapes, limits and words of its errors are those of the real one (Web API reference as of March
2026, with playlists' ``items``/``item``); `test_fake_spotify` holds it to them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID = "0123456789abcdef0123456789abcdef"
CLIENT_SECRET = "fedcba9876543210fedcba9876543210"  # noqa: S105 - opens nothing
ID = re.compile("[0-9A-Za-z]{22}")
ME = "someone"

Fault = Callable[["Handler"], None]


def identity(number: int) -> str:
    """Return an id as Spotify's look."""
    return f"{number:022d}"


def album_object(number: int = 1, **more: Any) -> dict[str, Any]:
    """Return an album as the API has it inside a track."""
    return {
        "album_type": "album",
        "total_tracks": 12,
        "id": identity(number),
        "images": [
            {"url": "https://i.scdn.co/image/small", "height": 64, "width": 64},
            {"url": "https://i.scdn.co/image/large", "height": 640, "width": 640},
        ],
        "name": f"Album {number}",
        "release_date": "1998-03-02",
        "release_date_precision": "day",
        "type": "album",
        "uri": f"spotify:album:{identity(number)}",
        "artists": [{"name": "The Band", "id": identity(9), "type": "artist"}],
    } | more


def track_object(number: int, **more: Any) -> dict[str, Any]:
    """Return a full track object."""
    return {
        "album": album_object(),
        "artists": [
            {"name": "The Band", "id": identity(9), "type": "artist"},
            {"name": "A Guest", "id": identity(8), "type": "artist"},
        ],
        "disc_number": 1,
        "duration_ms": 200_000 + number,
        "explicit": False,
        "external_ids": {"isrc": f"GBAYE98{number:05d}"},
        "external_urls": {"spotify": f"https://open.spotify.com/track/{identity(number)}"},
        "id": identity(number),
        "is_local": False,
        "name": f"Song {number}",
        "track_number": number % 12 + 1,
        "type": "track",
        "uri": f"spotify:track:{identity(number)}",
    } | more


def simple(track: dict[str, Any]) -> dict[str, Any]:
    """Return a track as it stands in an album: neither album nor external ids."""
    return {k: v for k, v in track.items() if k not in {"album", "external_ids"}}


def entry(track: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """Return an entry of a playlist."""
    return {
        "added_at": "2026-04-01T10:00:00Z",
        "added_by": {"id": ME, "type": "user"},
        "is_local": False,
        "item": track,
    } | more


class FakeSpotify:
    """What the server has, what goes wrong with it, and what it was asked."""

    def __init__(self) -> None:
        self.tracks: dict[str, dict[str, Any]] = {}
        self.albums: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
        self.playlists: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self.owners: dict[str, str] = {}
        self.images: dict[str, bytes] = {}  # by path, as /image/large; of another host at Spotify
        self.image_headers: list[dict[str, str]] = []  # of the requests for them
        self.faults: list[Fault] = []  # of the API, one for each request to come
        self.token_faults: list[Fault] = []
        self.asked: list[str] = []
        self.tokens: dict[str, str] = {}  # access token: whose
        self.refresh: set[str] = set()
        self.codes: dict[str, dict[str, str]] = {}
        self.count: Counter[str] = Counter()
        self.reached = threading.Event()  # by a request that is answered slowly
        self.released = threading.Event()  # ends the slowness
        self.expires_in = 3600
        self._lock = threading.Lock()
        fake = self

        class Bound(Handler):
            spotify = fake

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.api_url = f"{self.url}/v1"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def new_token(self, whose: str) -> str:
        """Return an access token that is accepted from now on."""
        with self._lock:
            token = f"token-{len(self.tokens) + 1}"
            self.tokens[token] = whose
        return token

    def grant(self, authorize_url: str) -> str:
        """Say yes as a person would; return the code."""
        query = {k: v[0] for k, v in parse_qs(urlsplit(authorize_url).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        assert "localhost" not in query["redirect_uri"]
        code = f"code-{len(self.codes) + 1}"
        self.codes[code] = query
        return code


class Handler(BaseHTTPRequestHandler):
    """One request."""

    spotify: FakeSpotify
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer takes 40 ms

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: Any, **headers: str) -> None:
        self.send(status, json.dumps(body).encode(), "application/json; charset=utf-8", headers)

    def send(self, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, message: str, **headers: str) -> None:
        self.answer(status, {"error": {"status": status, "message": message}}, **headers)

    def do_POST(self) -> None:
        fake = self.spotify
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        given = {name: values[0] for name, values in form.items()}
        fake.count["token"] += 1
        if fake.token_faults:
            fake.token_faults.pop(0)(self)
        elif self.path != "/api/token":
            self.answer(404, {"error": "not_found"})
        else:
            kind = given.get("grant_type", "")
            grant = {
                "client_credentials": self.grant_client,
                "authorization_code": self.grant_code,
                "refresh_token": self.grant_refresh,
            }.get(kind)
            if grant is None:
                self.oauth_error("unsupported_grant_type", f"grant_type {kind} is not supported")
            else:
                grant(given)

    def oauth_error(self, error: str, said: str) -> None:
        self.answer(400, {"error": error, "error_description": said})

    def grant_client(self, _: dict[str, str]) -> None:
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self.oauth_error("invalid_client", "Invalid client")
        else:
            self.give("", {})

    def grant_code(self, given: dict[str, str]) -> None:
        asked = self.spotify.codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if given.get("client_id") != CLIENT_ID:
            self.oauth_error("invalid_client", "Invalid client")
        elif asked is None:
            self.oauth_error("invalid_grant", "Invalid authorization code")
        elif given.get("redirect_uri") != asked["redirect_uri"]:
            self.oauth_error("invalid_grant", "Invalid redirect URI")
        elif challenge != asked["code_challenge"]:
            self.oauth_error("invalid_grant", "code_verifier was incorrect")
        else:
            self.give(ME, {"refresh_token": self.new_refresh(), "scope": asked["scope"]})

    def grant_refresh(self, given: dict[str, str]) -> None:
        if given.get("client_id") != CLIENT_ID:
            self.oauth_error("invalid_client", "Invalid client")
        elif given.get("refresh_token") not in self.spotify.refresh:
            self.oauth_error("invalid_grant", "Refresh token revoked")
        else:
            self.spotify.refresh.discard(given["refresh_token"])
            self.give(ME, {"refresh_token": self.new_refresh()})

    def new_refresh(self) -> str:
        token = f"refresh-{self.spotify.count['refresh']}"
        self.spotify.count["refresh"] += 1
        self.spotify.refresh.add(token)
        return token

    def give(self, whose: str, more: dict[str, str]) -> None:
        body = {
            "access_token": self.spotify.new_token(whose),
            "token_type": "Bearer",
            "expires_in": self.spotify.expires_in,
        }
        self.answer(200, body | more)

    def do_GET(self) -> None:
        fake = self.spotify
        fake.asked.append(self.path)
        (fake.faults.pop(0) if fake.faults else fine)(self)

    def serve(self) -> None:
        fake = self.spotify
        if self.path.startswith("/image/"):
            self.image()
            return
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if not scheme:
            self.refuse(401, "No token provided")
        elif scheme != "Bearer" or not token:
            self.refuse(400, "Only valid bearer authentication supported")
        elif token not in fake.tokens:
            self.refuse(401, "The access token expired")
        else:
            address = urlsplit(self.path)
            query = {k: v[0] for k, v in parse_qs(address.query).items()}
            self.route(address.path.removeprefix("/v1"), query, fake.tokens[token])

    def image(self) -> None:
        """Answer as the servers of pictures do: without a token, with the type of a picture."""
        fake = self.spotify
        fake.image_headers.append(dict(self.headers.items()))
        content = fake.images.get(self.path)
        if content is None:
            self.send(404, b"", "text/plain", {})
        else:
            self.send(200, content, "image/jpeg", {"Cache-Control": "public, max-age=31536000"})

    def route(self, path: str, query: dict[str, str], who: str) -> None:
        fake = self.spotify
        parts = path.strip("/").split("/")
        if parts[0] == "me":
            self.mine(parts, query, who)
        elif len(parts) < 2 or parts[0] not in {"tracks", "albums", "playlists"}:
            self.refuse(404, "Service not found")
        elif not ID.fullmatch(parts[1]):
            self.refuse(400, "Invalid base62 id")
        elif not query.get("limit", "20").isdecimal() or not 1 <= int(query.get("limit", 20)) <= 50:
            self.refuse(400, "Invalid limit")
        elif parts[1] not in getattr(fake, parts[0]):
            self.refuse(404, "Resource not found")
        elif parts[0] == "tracks":
            self.answer(200, fake.tracks[parts[1]])
        elif parts[0] == "albums":
            album, tracks = fake.albums[parts[1]]
            page = self.page(
                f"/albums/{parts[1]}/tracks", tracks, query, 50 if not parts[2:] else 20
            )
            self.answer(200, page if parts[2:] else album | {"tracks": page})
        else:
            self.playlist(parts, query, who)

    def playlist(self, parts: list[str], query: dict[str, str], who: str) -> None:
        name, entries = self.spotify.playlists[parts[1]]
        if not parts[2:]:
            fields = query.get("fields", "name,id").split(",")
            whole = {"name": name, "id": parts[1], "type": "playlist"}
            self.answer(200, {k: v for k, v in whole.items() if k in fields})
        elif parts[2] != "items" or who != self.spotify.owners.get(parts[1], ME):
            self.refuse(403, "Forbidden")  # "tracks" has been so since March 2026
        else:
            if "episode" not in query.get("additional_types", "track"):
                entries = [e for e in entries if (e["item"] or {}).get("type") != "episode"]
            self.answer(200, self.page(f"/playlists/{parts[1]}/items", entries, query, 20))

    def mine(self, parts: list[str], query: dict[str, str], who: str) -> None:
        if not who:
            self.refuse(401, "Unauthorized.")
        elif not parts[1:]:
            self.answer(200, {"id": who, "type": "user"})
        else:
            lists = [
                {
                    "id": key,
                    "name": name,
                    "collaborative": False,
                    "owner": {"id": self.spotify.owners.get(key, ME)},
                    "items": {"href": "", "total": len(entries)},
                }
                for key, (name, entries) in self.spotify.playlists.items()
            ]
            self.answer(200, self.page("/me/playlists", lists, query, 20))

    def page(
        self, path: str, items: list[Any], query: dict[str, str], usual: int
    ) -> dict[str, Any]:
        limit, offset = int(query.get("limit", usual)), int(query.get("offset", 0))
        following = None
        if offset + limit < len(items):
            more = query | {"offset": str(offset + limit), "limit": str(limit)}
            following = f"{self.spotify.api_url}{path}?{urlencode(more)}"
        return {
            "href": f"{self.spotify.api_url}{path}",
            "limit": limit,
            "next": following,
            "offset": offset,
            "previous": None,
            "total": len(items),
            "items": items[offset : offset + limit],
        }


# ---------------------------------------------------------------- what may go wrong


def fine(handler: Handler) -> None:
    """Answer as it should be."""
    handler.serve()


def status(code: int, message: str = "", **headers: str) -> Fault:
    """Answer with an error object."""
    return lambda handler: handler.refuse(code, message, **headers)


def page_of(text: str, code: int = 200, kind: str = "text/html", **headers: str) -> Fault:
    """Answer with something that is no JSON object."""
    return lambda handler: handler.send(code, text.encode(), kind, headers)


def cut_off(handler: Handler) -> None:
    """Promise more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"name": "Song')
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """Close without a word."""
    handler.close_connection = True


def slow(handler: Handler) -> None:
    """Send half a header, and nothing until the test ends."""
    handler.send_response(200)
    handler.flush_headers()
    handler.spotify.reached.set()
    handler.spotify.released.wait()
    handler.close_connection = True

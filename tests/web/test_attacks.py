"""Attacks on the web process over real sockets: each is refused, and others are served."""

import concurrent.futures
import resource
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from api_document import until_whole
from channel_peer import Place
from engine_process import show, until
from osc_client import free_port
from raw_http import TIMEOUT_S, connected, new_address, request, sent
from served import PASSWORD

from sfa_engine.system.process_lock import lock_holder
from sfa_engine.web import password, users
from sfa_engine.web.exchange import BODY_TIMEOUT_S, MAX_BODY
from sfa_engine.web.listener import HEADER_TIMEOUT_S, MAX_CONNECTIONS, MAX_HEADER_BYTES, MAX_OF_ONE

pytestmark = pytest.mark.slow
JSON = "Content-Type: application/json"
LATE_S = 15.0  # of a busy machine, beyond a timeout


@pytest.fixture(scope="module")
def place():
    port = free_port()
    with show({}, "none", f"[web]\nport = {port}\n", "--web") as engine:
        found = Place(port, engine.runtime / "data" / "sfa")
        found.ann = found.user("ann", "super_admin")
        found.write(users.set_password, found.ann.id, password.hashed(PASSWORD))
        found.admin = f"Authorization: Bearer {found.token(found.ann)}"
        found.document = until_whole(found.origin)
        found.pid = lock_holder(engine.runtime / "web.lock")
        yield found
        assert lock_holder(engine.runtime / "web.lock") == found.pid, "it was restarted"
        assert "Traceback" not in engine.log("web"), engine.log("web")


def cookie(place):
    """Return the header of a new session."""
    return f"Cookie: {place.cookie(place.ann)['Cookie']}"


def is_signed_in(place, session):
    return sent(place.port, request(place.port, "GET /api/auth/me", session)).status == 200


# ---------------------------------------------------------------- other sites


@pytest.mark.parametrize(
    "headers",
    [
        ("Origin: http://evil.example",),
        ("Origin: http://127.0.0.1:{other}",),  # another service of this machine
        ("Origin: http://localhost:{port}",),
        ("Origin: null",),
        ("Sec-Fetch-Site: cross-site",),
        ("Sec-Fetch-Site: same-site",),
        ("Sec-Fetch-Site: cross-site", "Origin: http://127.0.0.1:{port}"),
        ("Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1:{other}"),
    ],
)
def test_another_sites_page_changes_nothing_with_the_cookie(place, headers):
    session = cookie(place)
    fields = [each.format(port=place.port, other=place.port + 1) for each in headers]
    for path, body in (
        ("/api/auth/logout", b"{}"),
        ("/api/set", b'{"path": "crossfader", "value": 3}'),
    ):
        answer = sent(
            place.port, request(place.port, f"POST {path}", session, JSON, *fields, body=body)
        )
        assert (answer.status, answer.json()["code"]) == (403, "cross_site")
    assert is_signed_in(place, session)


@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site", "Authorization", "Content-Type"])
def test_a_header_that_is_sent_twice_is_refused(place, name):
    """A proxy may believe the one, and this process the other."""
    session = cookie(place)
    values = {
        "Origin": (place.origin, "http://evil.example"),
        "Sec-Fetch-Site": ("same-origin", "cross-site"),
        "Authorization": (place.admin.partition(": ")[2], "Bearer sfa_0"),
        "Content-Type": ("application/json", "text/plain"),
    }[name]
    for first, last in (values, values[::-1]):
        twice = (f"{name}: {first}", f"{name.lower()}: {last}")
        fields = [session, *twice, *([] if name == "Content-Type" else [JSON])]
        ask = request(place.port, "POST /api/auth/logout", *fields, body=b"{}")
        assert sent(place.port, ask).status == 400
        assert handshake(place, session, *twice).status == 400
    assert is_signed_in(place, session)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_form_is_no_body(place, kind):
    session = cookie(place)
    own = f"Origin: {place.origin}"
    body = b'{"path": "crossfader", "value": 3}'
    fields = (session, own, f"Content-Type: {kind}")
    assert sent(place.port, request(place.port, "POST /api/set", *fields, body=body)).status == 415


HOSTS = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "[127.0.0.1]",
    "[localhost]",
    "[::1",
    "[::1]evil.example",
    "[::1].evil.example",
    "::1",
    "127.0.0.1:",
    "127.0.0.1:80:80",
    "127.0.0.1:80@evil.example",
    "user@127.0.0.1",
    "127.0.0.1, evil.example",
    "127.0.0.1/evil.example",
    "127.0.0.1#evil.example",
    "evil.example?.local",
    "",
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("line", ["GET /api/auth/me", "GET /static/plain.css", "GET /health"])
def test_a_name_that_another_site_can_have_is_not_served(place, host, line):
    given = host.format(port=place.port)
    answer = sent(place.port, request(place.port, line, cookie(place), host=given))
    assert answer.status == 421, answer


def test_two_hosts_are_not_served(place):
    for line in ("GET /health", f"GET http://127.0.0.1:{place.port}/health"):
        both = request(place.port, line, "Host: evil.example")
        assert sent(place.port, both).status == 421
    evil = request(place.port, f"GET http://127.0.0.1:{place.port}/health", host="evil.example")
    assert sent(place.port, evil).status == 421


UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
)


def handshake(place, *headers, host=None, path="/api/channel"):
    """Return the answer to a handshake that is refused."""
    host = f"127.0.0.1:{place.port}" if host is None else host
    more = "".join(f"{each}\r\n" for each in headers)
    return sent(place.port, UPGRADE.format(path=path, host=host, more=more).encode("latin-1"))


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1:{other}",
        "http://127.0.0.1",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://user@127.0.0.1:{port}",
        "null",
        "",
        None,
    ],
)
def test_a_channel_with_a_cookie_is_for_pages_of_this_server(place, origin):
    headers = [cookie(place)]
    if origin is not None:
        headers.append(f"Origin: {origin.format(port=place.port, other=place.port + 1)}")
    answer = handshake(place, *headers)
    assert (answer.status, answer.json()["code"]) == (403, "cross_site")


@pytest.mark.parametrize("host", HOSTS)
def test_a_channel_by_a_name_that_another_site_can_have_is_refused(place, host):
    given = host.format(port=place.port)
    answer = handshake(place, cookie(place), f"Origin: http://{given}", host=given)
    assert answer.status == 421, answer


# ---------------------------------------------------------------- paths and headers

TRAVERSALS = [
    "..",
    "../..",
    "%2e%2e",
    "%2e%2e%2fwelcome.html",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "....//....//etc/passwd",
    "%2fetc%2fpasswd",
    "/etc/passwd",
    "plain.css%00",
    "%00",
    "..%5c..%5cetc%5cpasswd",
    "..\\..\\etc\\passwd",
    "%c0%ae%c0%ae%c0%afetc%c0%afpasswd",
    "%e0%80%ae%e0%80%ae",
    "%252e%252e%252f",
    "%ff%fe",
    "%u002e%u002e",
    "%",
    "%zz",
    "1%0d%0aX-Injected:%201",
    "%0d%0a%0d%0aHTTP/1.1%20200%20OK",
    "-1",
    "1e3",
    "%D9%A1",  # an Arabic digit one
    "9" * 400,
    "a" * 4000,
]


@pytest.mark.parametrize("given", TRAVERSALS)
def test_a_part_of_a_path_is_a_name_and_no_path(place, given):
    # Of an account of its own: some paths are for a few requests a minute.
    user = place.user(f"walker{TRAVERSALS.index(given)}", "admin")
    sender = f"Authorization: Bearer {place.token(user)}"
    variable = [
        (method.upper(), path)
        for path, methods in place.document["paths"].items()
        for method in methods
        if "{" in path and method != "put"  # names of uploads: see test_web_uploads.py
    ]
    assert len(variable) >= 6
    for method, path in variable:
        line = f"{method} {path.partition('{')[0]}{given}"
        answer = sent(place.port, request(place.port, line, sender))
        # A token ends no session: 403 comes before the name is looked at.
        assert answer.status in ({403, 404} if method == "DELETE" else {400, 404}), (line, answer)
        assert answer.count == 1
        assert b"root:" not in answer.data
        assert "x-injected" not in {name for name, *_ in answer.headers}


def test_a_page_ends_no_session_by_a_path(place):
    session = cookie(place)
    for kind in ("sessions", "tokens"):
        for given in TRAVERSALS[:12]:
            line = f"DELETE /api/auth/{kind}/{given}"
            fields = (session, f"Origin: {place.origin}")
            assert sent(place.port, request(place.port, line, *fields)).status == 404, line
    assert is_signed_in(place, session)


@pytest.mark.parametrize("name", ["a\r\nX-Injected: 1", "a\nb", "a\x00b", "a\x85b", "\u202eann"])
def test_names_hold_no_line_of_a_header(place, name):
    session, own = cookie(place), f"Origin: {place.origin}"
    escaped = "".join(f"\\u{ord(each):04x}" for each in name)
    for path, more in (
        ("/api/users", '"role": "user"'),
        ("/api/auth/tokens", '"scopes": ["read"]'),
        ("/api/auth/login", '"password": "x"'),
    ):
        body = f'{{"name": "{escaped}", {more}}}'.encode()
        answer = sent(
            place.port, request(place.port, f"POST {path}", session, own, JSON, body=body)
        )
        assert answer.status in {401, 422}, (path, answer)
        assert "x-injected" not in {field for field, *_ in answer.headers}


# ---------------------------------------------------------------- credentials


@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "api_key", "sfa_token"])
def test_a_token_in_an_address_signs_nobody_in(place, name):
    token = place.admin.rpartition(" ")[2]
    for given in (f"{name}={token}", f"{name}=Bearer%20{token}"):
        line = f"GET /api/auth/me?{given}"
        assert sent(place.port, request(place.port, line)).status == 401
    with place.open(path=f"/api/channel?{name}={token}") as peer:  # it has to send its token yet
        peer.join("tracks")
        assert peer.closed()[0] == 1008


@pytest.mark.parametrize(
    "scheme", ["Basic {}", "Token {}", "{}", "Bearer", "Bearer {} x", "Bearer x{}"]
)
def test_a_token_is_a_bearers_alone(place, scheme):
    given = f"Authorization: {scheme.format(place.admin.rpartition(' ')[2])}"
    assert sent(place.port, request(place.port, "GET /api/auth/me", given)).status == 401
    assert handshake(place, given).status == 401


def test_a_wrong_token_is_not_made_good_by_a_cookie(place):
    fields = (cookie(place), "Authorization: Bearer sfa_no")
    assert sent(place.port, request(place.port, "GET /api/auth/me", *fields)).status == 401


def test_signing_in_takes_no_session_from_the_browser(place):
    name = f"sfa_session_{place.port}"
    login = f'{{"name": "ann", "password": "{PASSWORD}"}}'.encode()
    own = f"Origin: {place.origin}"
    chosen = f"Cookie: {name}={'a' * 43}"
    theirs = cookie(place)  # of somebody who has set it in this browser
    for planted in (chosen, theirs):
        answer = sent(
            place.port, request(place.port, "POST /api/auth/login", planted, own, JSON, body=login)
        )
        assert answer.status == 200, answer
        [fresh] = [value for field, value in answer.headers if field == "set-cookie"]
        assert "httponly" in fresh
        assert planted.lower().partition(f"{name}=")[2] not in fresh
        assert not is_signed_in(place, planted)


def test_a_session_that_is_used_elsewhere_is_shown_and_can_be_ended(place):
    eve = place.user("eve")
    session, own = f"Cookie: {place.cookie(eve)['Cookie']}", f"Origin: {place.origin}"
    ask = request(place.port, "GET /api/auth/sessions", session)
    here, there = new_address(), new_address()
    assert sent(place.port, ask, here).status == 200
    [mine] = sent(place.port, ask, there).json()["sessions"]
    line = f"DELETE /api/auth/sessions/{mine['id']}"
    assert sent(place.port, request(place.port, line, session, own), there).status == 200
    assert sent(place.port, ask, here).status == 401


# ---------------------------------------------------------------- requests that two readers split


SMUGGLED = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
SPLIT = {
    "two lengths": ["Content-Length: 2", f"Content-Length: {len(SMUGGLED)}"],
    "two equal lengths": ["Content-Length: 2", "Content-Length: 2"],
    "a list of lengths": ["Content-Length: 2, 2"],
    "length and chunks": ["Content-Length: 2", "Transfer-Encoding: chunked"],
    "chunks and length": ["Transfer-Encoding: chunked", "Content-Length: 2"],
    "chunks that are not last": ["Transfer-Encoding: chunked, identity"],
    "another coding": ["Transfer-Encoding: xchunked"],
    "a space before the colon": ["Transfer-Encoding : chunked"],
    "a sign": ["Content-Length: +2"],
    "a negative length": ["Content-Length: -1"],
    "hexadecimal": ["Content-Length: 0x2"],
    "an endless length": [f"Content-Length: {'9' * 40}"],
    "a folded line": ["X-Folded: a\r\n b", "Content-Length: 2"],
    "a line without a carriage return": ["X-Bare: a\nX-Other: b", "Content-Length: 2"],
    "a carriage return alone": ["X-Bare: a\rX-Other: b", "Content-Length: 2"],
    "a zero byte": ["X-Zero: a\x00b", "Content-Length: 2"],
    "no name": [": a", "Content-Length: 2"],
}


@pytest.mark.parametrize("headers", SPLIT.values(), ids=SPLIT)
def test_what_two_readers_would_split_differently_is_refused(place, headers):
    data = request(
        place.port, "POST /api/auth/logout", place.admin, JSON, *headers, body=b"{}" + SMUGGLED
    )
    answer = sent(place.port, data.replace(b"Connection: close\r\n", b""))
    assert (answer.status, answer.count) == (400, 1), answer


@pytest.mark.parametrize("size", [b"-1", b"+2", b"0x2", b"g", b"f" * 17, b"2 ", b"", b"2\n"])
def test_a_chunk_of_an_impossible_size_is_refused(place, size):
    data = request(
        *(place.port, "POST /api/auth/login", JSON, "Transfer-Encoding: chunked"),
        body=size + b"\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    )
    answer = sent(place.port, data.replace(b"Connection: close\r\n", b""))
    assert (answer.status, answer.count) == (400, 1), answer


@pytest.mark.parametrize(
    "data",
    [
        b"GET /health HTTP/1.1\nHost: 127.0.0.1\n\n",
        b"GET /health HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_request_line_is_refused(place, data):
    answer = sent(place.port, data)
    assert (answer.status, answer.count) == (400, 1), answer


# ---------------------------------------------------------------- bodies

DEEP = 100_000
BODIES = {
    "an infinite number": (b'{"path": "crossfader", "value": 1e999}', 400),
    "no number": (b'{"path": "crossfader", "value": NaN}', 400),
    "half a character": (b'{"path": "\\ud800", "value": 1}', 400),
    "not UTF-8": (b'{"path": "\xc0\xaf", "value": 1}', 400),
    "a deep list": (b'{"path": ' + b"[" * DEEP + b"]" * DEEP + b', "value": 1}', 400),
    "a deep object": (b'{"a": ' * DEEP + b"1" + b"}" * DEEP, 400),
    "lists of lists": (b'{"path": ' + b"[" * 900 + b"]" * 900 + b', "value": 1}', 422),
    "half an object": (b'{"path": "crossfader"', 400),
    "two objects": (b"{}{}", 400),
    "nothing": (b" ", 400),
    "a list": (b"[]", 422),
    "a text": (b'"x"', 422),
    "a number": (b"1", 422),
    "null": (b"null", 422),
    "no path": (b"{}", 422),
    "a path of another type": (b'{"path": {"a": 1}, "value": 1}', 422),
    "a value of another type": (b'{"path": "crossfader", "value": [1]}', 422),
    "an unknown parameter": (b'{"path": "crossfader", "value": 1, "__proto__": {}}', 422),
    "a huge number": (b'{"path": "crossfader", "value": ' + b"9" * 400 + b"}", 422),
    "a long path": (b'{"path": "' + b"a" * 500_000 + b'", "value": 1}', 422),
    "too much": (b'{"path": "' + b"a" * (2 * MAX_BODY) + b'", "value": 1}', 413),
}


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_not_meant_is_refused_in_one_sentence(place, body, status, chunked):
    how = []
    if chunked:
        how = ["Transfer-Encoding: chunked"]
        body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    answer = sent(
        place.port, request(place.port, "POST /api/set", place.admin, JSON, *how, body=body)
    )
    if status == 413 and not answer.data:  # the rest, unread, resets the connection
        return
    assert answer.status == status, answer
    assert len(answer.json()["detail"]) < 1000


# ---------------------------------------------------------------- many, and slow


def descriptors(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory_mb(pid):
    words = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    return int(words[words.index("Pss:") + 1]) / 1024


def health_s(place):
    """Return how long another address waits for an answer."""
    began = time.monotonic()
    assert sent(place.port, request(place.port, "GET /health")).status == 200
    return time.monotonic() - began


@pytest.fixture
def many_files():
    """As many descriptors as this process may have; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(hard, 11_000) if hard != resource.RLIM_INFINITY else 11_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield max(soft, most) - descriptors("self") - 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("count", [2000, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_half_open_connections_leave_others_their_place(place, many_files, count):
    before_mb, before = memory_mb(place.pid), descriptors(place.pid)
    source = new_address()
    with ExitStack() as stack:
        for _ in range(min(count, many_files)):
            lent = stack.enter_context(connected(place.port, source))
            with suppress(ConnectionError):
                lent.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        assert health_s(place) < LATE_S
        until(lambda: descriptors(place.pid) <= before + MAX_OF_ONE, "what is too many")
        assert memory_mb(place.pid) < before_mb + 30


def test_connections_of_many_addresses_are_cut_off_in_time(place, many_files):
    before = descriptors(place.pid)
    with ExitStack() as stack:
        for _ in range(min(2 * MAX_CONNECTIONS, many_files)):
            lent = stack.enter_context(connected(place.port))
            with suppress(ConnectionError):
                lent.sendall(b"GET / HTTP/1.1\r\n")
        until(lambda: descriptors(place.pid) <= before + MAX_CONNECTIONS, "what is too many")
        give_up = time.monotonic() + HEADER_TIMEOUT_S + LATE_S
        while not sent(place.port, request(place.port, "GET /health")).data:
            assert time.monotonic() < give_up
            time.sleep(0.2)


POST = "POST /api/set HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
# What is sent at once, and what then every quarter of a second.
SLOW = {
    "nothing": (b"", b""),
    "headers": (b"GET /health HTTP/1.1\r\n", b"X: y\r\n"),
    "half a line": (b"GET /", b"a"),
    "a body": ("{post}{token}Content-Length: 900\r\n\r\n", b" "),
    "chunks": ("{post}{token}Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a body of a reading": (GET + b"Content-Length: 900\r\n\r\n", b" "),
    "trailers": (GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    "empty lines": (GET + b"\r\n\r\n", b"\r\n"),
    "one empty line after an answer": (GET + b"\r\n\r\n", b""),
}


def held_s(place, first, then):
    """Return how long a connection lasts."""
    began = time.monotonic()
    with connected(place.port) as connection:
        connection.settimeout(0.25)
        with suppress(ConnectionError):
            connection.sendall(first)
            while time.monotonic() < began + TIMEOUT_S:
                with suppress(TimeoutError):
                    while connection.recv(65_536):
                        pass
                    break
                connection.sendall(then)
    return time.monotonic() - began


def test_what_comes_slowly_is_cut_off_in_time(place):
    with concurrent.futures.ThreadPoolExecutor(len(SLOW)) as pool:
        held = {
            name: pool.submit(held_s, place, bytes_of(place, first), then)
            for name, (first, then) in SLOW.items()
        }
        took = {name: one.result() for name, one in held.items()}
    limit_s = max(HEADER_TIMEOUT_S, BODY_TIMEOUT_S)
    assert all(each < limit_s + LATE_S for each in took.values()), took
    assert health_s(place) < LATE_S


def bytes_of(place, first):
    if isinstance(first, bytes):
        return first
    return first.format(post=POST, token=f"{place.admin}\r\n").encode()


@pytest.mark.parametrize(
    "data",
    [
        GET + b"X: " + b"a" * MAX_HEADER_BYTES + b"\r\n\r\n",
        GET + b"X: y\r\n" * MAX_HEADER_BYTES + b"\r\n",
        b"GET /health?" + b"a" * MAX_HEADER_BYTES + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
    ids=["a header", "headers", "an address"],
)
def test_headers_that_are_too_long_are_refused_in_one_read_too(place, data):
    answer = sent(place.port, data)
    assert (answer.status, answer.count) == (431, 1), answer


@pytest.mark.parametrize("part", [b"0\r\nX: ", b"2;"], ids=["a trailer", "a chunk's extension"])
def test_what_is_no_part_of_a_body_is_limited_after_the_headers_too(place, part):
    with connected(place.port) as connection:
        connection.sendall(GET + b"Transfer-Encoding: chunked\r\n\r\n" + part)
        with pytest.raises(ConnectionError):
            connection.sendall(b"a" * MAX_HEADER_BYTES * 1000)
    assert health_s(place) < LATE_S


# ---------------------------------------------------------------- what the attacks led to


def test_requests_that_wait_for_no_answer_are_not_kept(place):
    before_mb = memory_mb(place.pid)
    ask = request(place.port, "GET /api").replace(b"Connection: close\r\n", b"")
    with connected(place.port) as connection:
        connection.settimeout(2.0)
        with suppress(ConnectionError, TimeoutError):
            for _ in range(40):
                connection.sendall(ask * 2000)
        for _ in range(12):  # it reads what the kernel has taken
            assert memory_mb(place.pid) < before_mb + 30
            time.sleep(0.25)
    ask = ask.replace(b"/api", b"/health")
    with connected(place.port) as connection:
        connection.sendall(ask * 8)
        said = b""
        while said.count(b'"version"') < 8:
            part = connection.recv(65_536)
            assert part, said
            said += part


def test_an_answer_does_not_wait_for_the_peers_acknowledgement(place):
    data = request(place.port, "GET /health").replace(b"Connection: close\r\n", b"")
    took = []
    with connected(place.port) as connection:
        for _ in range(40):
            began = time.monotonic()
            connection.sendall(data)
            while b'"version"' not in connection.recv(65_536):
                pass
            took.append(time.monotonic() - began)
    # 40 ms each but the first without TCP_NODELAY; the quickest of them whatever else runs.
    assert min(took[1:]) < 0.03, took

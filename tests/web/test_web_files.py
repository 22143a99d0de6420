"""Files and exports over HTTP, of a real library."""

import io
import json
import os
import socket
import time
import zipfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
import soundfile
from house import house, prepared, song
from served import received, web_process

from sfa_engine.track import curves
from sfa_engine.web import secrets, users
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.exchange import RECHECK_S
from sfa_engine.web.rights import SYSTEM

pytestmark = pytest.mark.slow
TITLE = 'Łódź "at" night'
ARTIST = "Björk/Múm"


class Library:
    """A web process and a backstage with a track, whose files are known."""

    def __init__(self, web, here, client, track):
        self.web, self.here, self.track = web, here, track
        self.call = client.call
        self.bundle = Path(client.call("library.find", words=f"#{track}")["bundle"])
        with closing(open_database(web.data / FILE)) as connection, transaction(connection):
            made = users.add(connection, SYSTEM, "ann", "super_admin")
            users.set_password(connection, made.id, "$argon2id$unused")
            self.token = secrets.add_token(connection, made, "tests", ["read", "prepare"], 1)[0]
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def client(self):
        return self.web.client(headers=self.headers)

    def raw(self, path, **headers):
        """Send a GET, and return the connection."""
        connection = socket.socket()
        connection.settimeout(30.0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # less than a stem
        connection.connect(("127.0.0.1", self.web.port))
        fields = {"Host": "127.0.0.1", **self.headers, **headers}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items())]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        return connection


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    with house(folder / "house") as here, here.start() as client:
        stems = folder / "stems"
        for number, name in enumerate(("vocals", "drums")):
            song(stems / f"{name}.wav", seconds=8.0, seed=number)
        done = prepared(client, stems)
        (found,) = done["tracks"]
        client.call("library.edit", track=found["id"], values={"title": TITLE, "artist": ARTIST})
        data = folder / "web"
        data.mkdir()
        with web_process(data, here.runtime) as web:
            lent = Library(web, here, client, found["id"])
            with lent.client() as asking:  # until the verbs are known
                while asking.get("/api/library/search").status_code == 503:
                    time.sleep(0.1)
            yield lent
            assert "Traceback" not in web.log(), web.log()


def test_a_stem_is_the_file_of_the_bundle(library):
    expected = (library.bundle / "vocals.wav").read_bytes()
    with library.client() as client:
        for name in ("vocals", "vocals.wav"):
            response = client.get(f"/files/{library.track}/{name}")
            assert response.status_code == 200
            assert response.content == expected
        head = client.head(f"/files/{library.track}/vocals")
    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-length", "etag", "last-modified", "content-disposition"):
        assert head.headers[name] == response.headers[name]
    assert response.headers["content-type"] == "audio/wav"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["x-content-type-options"] == "nosniff"
    saved = "Björk_Múm - Łódź _at_ night (vocals).wav"
    assert response.headers["content-disposition"].endswith(f"filename*=UTF-8''{quote(saved)}")


def test_curves_and_manifest_are_files_too(library):
    with library.client() as client:
        manifest = client.get(f"/files/{library.track}/manifest")
        found = client.get(f"/files/{library.track}/curves")
        cover = client.get(f"/files/{library.track}/cover")
    assert manifest.json()["title"] == TITLE
    assert found.content.startswith(b"SFACURVE")
    assert found.headers["content-type"] == "application/octet-stream"
    assert cover.status_code == 404
    assert "it has vocals, drums, manifest, curves" in cover.json()["hint"]


@pytest.mark.parametrize(
    ("given", "first", "end"),
    [("bytes=0-99", 0, 100), ("bytes=1000-", 1000, None), ("bytes=-44", -44, None)],
)
def test_a_part_is_sent(library, given, first, end):
    expected = (library.bundle / "drums.wav").read_bytes()
    with library.client() as client:
        response = client.get(f"/files/{library.track}/drums", headers={"Range": given})
    assert response.status_code == 206
    assert response.content == expected[first:end]
    start = first % len(expected)
    last = start + len(response.content) - 1
    assert response.headers["content-range"] == f"bytes {start}-{last}/{len(expected)}"


def test_parts_that_cannot_be_sent(library):
    path, size = f"/files/{library.track}/drums", (library.bundle / "drums.wav").stat().st_size
    with library.client() as client:
        beyond = client.get(path, headers={"Range": f"bytes={size}-"})
        several = client.get(path, headers={"Range": "bytes=0-1,5-6"})
        changed = client.get(path, headers={"Range": "bytes=5-", "If-Range": '"other"'})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{size}"
    assert (several.status_code, len(several.content)) == (200, size)
    assert (changed.status_code, len(changed.content)) == (200, size)


def test_a_client_that_has_a_file_is_told_so_until_it_changes(library):
    path = f"/files/{library.track}/drums"
    with library.client() as client:
        tag = client.head(path).headers["etag"]
        same = client.get(path, headers={"If-None-Match": f'"x", {tag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        (library.bundle / "drums.wav").touch()
        other = client.get(path, headers={"If-None-Match": tag})
        assert other.status_code == 200
        part = client.get(path, headers={"Range": "bytes=5-9", "If-Range": tag})
        assert part.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/files/1/..%2Ftrack.json",
        "/files/1/%2e%2e",
        "/files/1/../../etc/passwd",
        "/files/1/vocals%00.wav",
        "/files/1/%2Fetc%2Fpasswd",
        "/files/..%2F..%2Fetc/passwd",
        "/files/1%00/vocals",
        "/files/1/vocals.wav/",
        "/files/1/",
        "/files//vocals",
        "/files/-1/vocals",
        "/files/999999/vocals",
        "/files/9999999999999999999999/vocals",
        "/files/٣/vocals",
        "/files/1/cover.jpg",
        "/export/stem/1",
        "/export/stem/1-..%2Fdrums",
        "/export/stem/1-manifest",
        "/export/stems/..",
        "/export/analysis/x",
    ],
)
def test_no_path_of_a_client_is_opened(library, path):
    with closing(library.raw(quote(path, safe="/%"))) as connection:
        said = connection.recv(65_536)
    assert said.startswith(b"HTTP/1.1 404"), said
    assert b"root:" not in said


def test_a_link_in_a_bundle_is_not_followed(library):
    drums, kept = library.bundle / "drums.wav", library.bundle / "kept.wav"
    drums.rename(kept)
    try:
        drums.symlink_to(kept)
        with library.client() as client:
            linked = client.get(f"/files/{library.track}/drums")
            archive = client.get(f"/export/stems/{library.track}")
            drums.unlink()
            os.mkfifo(drums)
            piped = client.get(f"/files/{library.track}/drums")
    finally:
        drums.unlink()
        kept.rename(drums)
    assert {linked.status_code, archive.status_code} <= {404, 422}
    assert piped.status_code in {404, 422}


def test_a_bundle_that_is_a_link_is_not_followed(library):
    away = library.bundle.with_name("away")
    library.bundle.rename(away)
    try:
        library.bundle.symlink_to(away)
        with library.client() as client:
            assert client.get(f"/files/{library.track}/drums").status_code == 404
    finally:
        library.bundle.unlink()
        away.rename(library.bundle)


def test_a_stem_is_saved_under_a_name(library):
    with library.client() as client:
        response = client.get(f"/export/stem/{library.track}-drums")
    assert response.content == (library.bundle / "drums.wav").read_bytes()
    assert response.headers["content-disposition"].startswith("attachment; filename=")
    assert response.headers["content-type"] == "audio/wav"


def test_all_stems_are_an_archive_of_known_length(library):
    with library.client() as client:
        response = client.get(f"/export/stems/{library.track}")
        head = client.head(f"/export/stems/{library.track}")
    assert response.status_code == head.status_code == 200
    assert int(response.headers["content-length"]) == len(response.content)
    assert head.headers["content-length"] == response.headers["content-length"]
    name = "Björk_Múm - Łódź _at_ night"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{name}/{name} ({s}).wav" for s in ("vocals", "drums")]
        for each, stem in zip(archive.infolist(), ("vocals", "drums"), strict=True):
            assert archive.read(each) == (library.bundle / f"{stem}.wav").read_bytes()


def sound_of(data):
    """Return the samples of a WAV or FLAC file, its frames as its head says, and its subtype."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        return file.read(dtype="int16").tobytes(), file.frames, file.subtype


def test_a_stem_is_saved_as_flac_with_the_same_samples(library):
    with library.client() as client:
        wav = client.get(f"/export/stem/{library.track}-vocals?format=wav")
        flac = client.get(
            f"/export/stem/{library.track}-vocals?format=flac", headers={"Range": "bytes=0-9"}
        )
        head = client.head(f"/export/stem/{library.track}-vocals?format=flac")
        other = client.get(f"/export/stem/{library.track}-vocals?format=mp3")
    assert wav.headers["content-type"] == "audio/wav"
    assert sound_of(flac.content) == sound_of(wav.content)
    assert len(flac.content) < len(wav.content)
    for response in (flac, head):
        assert response.status_code == 200  # its length is not known, so there are no parts
        assert response.headers["content-type"] == "audio/flac"
        assert response.headers["accept-ranges"] == "none"
        assert "content-length" not in response.headers
        assert response.headers["content-disposition"].endswith("%28vocals%29.flac")
    assert head.content == b""
    assert other.status_code == 422
    assert other.json()["hint"] == "give wav or flac"


def test_all_stems_are_an_archive_of_flac(library):
    with library.client() as client:
        response = client.get(f"/export/stems/{library.track}?format=flac")
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        for each, stem in zip(archive.infolist(), ("vocals", "drums"), strict=True):
            assert each.filename.endswith(f"({stem}).flac")
            wav = (library.bundle / f"{stem}.wav").read_bytes()
            assert sound_of(archive.read(each)) == sound_of(wav)


def test_the_analysis_is_saved_as_json(library):
    with library.client() as client:
        response = client.get(f"/export/analysis/{library.track}")
        shown = client.get(f"/api/library/show?track={library.track}").json()
    kept = json.loads(response.content)
    assert kept["bpm"] == shown["bpm"]
    assert kept["grid"] == shown["grid"]
    assert kept["cues"] == shown["cues"]
    assert str(library.here.folder) not in response.text
    assert response.headers["content-disposition"].startswith("attachment")


def test_a_master_is_saved_by_the_number_of_its_job(library):
    with library.client() as client:
        asked = {"track": library.track, "preset": "dj", "codec": "none", "compare": True}
        (job,) = client.post("/api/prep/master", json=asked).json()["jobs"]
        give_up = time.monotonic() + 120.0
        while client.get(f"/export/master/{job}").status_code == 404:  # until it is done
            assert time.monotonic() < give_up
            time.sleep(1.0)  # there is a limit of requests a minute
        master = client.get(f"/export/master/{job}")
        before = client.get(f"/export/master/{job}-before", headers={"Range": "bytes=0-3"})
        assert client.get(f"/export/master/{job}-stem").status_code == 404
        assert client.get("/export/master/99999").status_code == 404
        assert client.get("/export/master/1").status_code == 404  # imported it
    assert master.status_code == 200
    assert master.headers["content-type"] == "audio/flac"
    assert soundfile.info(io.BytesIO(master.content)).frames == 8 * 48_000
    assert "(master).flac" in master.headers["content-disposition"]
    assert (before.status_code, before.content) == (206, b"RIFF")


def test_the_zip_of_loops_is_saved_by_the_number_of_its_job(library):
    asked = {"words": "a drum loop of 4 beats", "zip": True}
    with library.client() as client:
        said = client.post("/api/loops/make", json=asked).json()
        give_up = time.monotonic() + 120.0
        while client.get(f"/export/loops/{said['job']}").status_code == 404:  # until it is done
            assert time.monotonic() < give_up
            time.sleep(1.0)  # there is a limit of requests a minute
        saved = client.get(f"/export/loops/{said['job']}")
        assert client.get("/export/loops/1").status_code == 404  # imported it
        assert client.get("/export/loops/99999").status_code == 404
    assert saved.status_code == 200
    assert "(zip).zip" in saved.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(saved.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[-1] == "info.json"


def test_an_audition_is_sent_by_the_name_of_its_mix(library):
    library.call("mix.plan", name="night", tracks=[library.track])
    with library.client() as client:
        assert client.get("/export/audition/night/all.flac").status_code == 404  # not rendered
        assert not client.post("/api/mix/audition", json={"name": "night"}).json()["done"]
        give_up = time.monotonic() + 120.0
        while client.get("/export/audition/night/all.svg").status_code == 404:
            assert time.monotonic() < give_up
            time.sleep(1.0)  # there is a limit of requests a minute
        picture = client.get("/export/audition/night/all.svg")
        sound = client.get("/export/audition/night/all.flac")
        part = client.get("/export/audition/night/all.flac", headers={"Range": "bytes=0-3"})
        for name in (
            "night/1.flac",
            "night/0.flac",
            "night/x.svg",
            "night/all.json",
            "day/all.svg",
        ):
            assert client.get(f"/export/audition/{name}").status_code in {404, 422}, name
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.text.startswith("<svg")
    assert sound.headers["content-type"] == "audio/flac"
    assert soundfile.info(io.BytesIO(sound.content)).frames >= 7 * 48_000
    assert (part.status_code, part.content) == (206, b"fLaC")


def test_without_a_sign_in_nothing_is_sent(library):
    with library.web.client() as client:
        for path in (
            *("/files/1/drums", "/export/stems/1", "/export/stem/1-drums", "/export/master/1"),
            "/export/audition/night/all.flac",
            "/export/loops/1",
        ):
            assert client.get(path).status_code == 401


def test_slow_and_broken_clients_hold_up_nothing(library):
    """Five clients read nothing, five are gone; others are served at once."""
    path = f"/export/stems/{library.track}"
    slow = []
    for _ in range(5):
        connection = library.raw(f"/files/{library.track}/drums", Connection="close")
        slow.append(connection)
    for _ in range(5):
        gone = library.raw(path)
        gone.recv(100)
        gone.close()
    with library.client() as client:
        began_s = time.monotonic()
        whole = client.get(f"/files/{library.track}/drums").content
        assert time.monotonic() - began_s < 5.0
    assert len(whole) == (library.bundle / "drums.wav").stat().st_size
    for connection in slow:
        assert received(connection, b"").partition(b"\r\n\r\n")[2] == whole
        connection.close()
    give_up_s = time.monotonic() + 20.0
    while bundle_files(library):
        assert time.monotonic() < give_up_s, bundle_files(library)
        time.sleep(0.05)


def bundle_files(library):
    """Return the files of the bundle that the web process has open."""
    folder = Path(f"/proc/{library.web.process.pid}/fd")
    found = []
    for each in folder.iterdir():
        try:
            target = str(each.readlink())
        except OSError:
            continue
        if target.startswith(str(library.bundle)):
            found.append(target)
    return found


def test_a_suspended_user_does_not_get_the_rest(library):
    with closing(open_database(library.web.data / FILE)) as connection, transaction(connection):
        made = users.add(connection, SYSTEM, "bob", "user")
        users.set_password(connection, made.id, "$argon2id$unused")
        token = secrets.add_token(connection, made, "tests", ["read"], 1)[0]
    path = f"/files/{library.track}/curves"
    size = 64 << 20
    long = library.bundle / curves.FILE
    kept = long.read_bytes()
    try:
        with long.open("ab") as file:
            file.truncate(size)
        with library.raw(path, Authorization=f"Bearer {token}") as connection:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
            with (
                closing(open_database(library.web.data / FILE)) as accounts,
                transaction(accounts),
            ):
                users.set_status(accounts, SYSTEM, "bob", "suspended")
            time.sleep(RECHECK_S + 0.5)
            received = 0
            while part := connection.recv(1 << 20):
                received += len(part)
        assert 0 < received < size // 2
    finally:
        long.write_bytes(kept)

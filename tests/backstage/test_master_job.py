"""``prep.master``: masters in the background, their reports and files."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import soundfile
from house import House, prepared, song, until_ended

from sfa_engine.backstage.verbs.masters import MasterVerbs
from sfa_engine.cli.master import master
from sfa_engine.errors import Refused
from sfa_engine.mix.mastering.chain import PRESETS
from sfa_engine.mix.mastering.codecs import CODECS, NONE
from sfa_engine.prep.master.sound_out import BITS
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


@pytest.fixture
def track(tmp_path: Path, client: SocketClient) -> int:
    number: int = prepared(client, song(tmp_path / "My Song.wav"))["tracks"][0]["id"]
    return number


def done(client: SocketClient, **options: object) -> dict[str, object]:
    """Have a master made, and return the job."""
    said = client.call("prep.master", **options)
    until_ended(client, said["batch"])
    job: dict[str, object] = client.call("jobs.show", job=said["jobs"][0])
    return job


def test_a_master_lies_in_the_exports_and_the_job_has_the_report(
    here: House, client: SocketClient, track: int
) -> None:
    job = done(client, track=track, preset="club", compare=True)
    assert (job["state"], job["kind"], job["error"]) == ("done", "master", None)
    assert str(here.folder) not in str(job["result"])  # no paths of this machine
    found = client.call("prep.mastered", job=job["id"])
    files = {each["name"]: Path(each["folder"]) / each["path"] for each in found["files"]}
    assert sorted(files) == ["after", "before", "master"]
    assert {path.parent for path in files.values()} == {here.data / "exports"}
    assert files["master"].name == f"My Song (master {job['id']}).flac"
    info = soundfile.info(files["master"])
    assert info.frames / info.samplerate == found["result"]["duration_s"] == 16.0
    assert found["aim"]["preset"] == "club"
    assert found["result"]["true_peak_dbtp"] <= -0.95
    assert found["track"] == track
    files["before"].unlink()
    left = client.call("prep.mastered", job=job["id"])["files"]
    assert [each["name"] for each in left] == ["master", "after"]


def test_a_report_alone_writes_no_file(here: House, client: SocketClient, track: int) -> None:
    assert track == 1
    job = done(client, track="my song", format="none", codec="none")
    found = client.call("prep.mastered", job=job["id"])
    assert found["files"] == []
    assert found["result"] is None
    assert found["source"]["platforms"]
    assert not (here.data / "exports").exists()


def test_a_master_that_fails_leaves_the_track_as_it_was(
    tmp_path: Path, client: SocketClient
) -> None:
    path = tmp_path / "Silence.wav"
    soundfile.write(path, [[0.0, 0.0]] * 96_000, 48_000)
    (track,) = prepared(client, path)["tracks"]
    job = done(client, track=track["id"])
    assert job["state"] == "failed"
    assert "is silent" in job["error"]["message"]  # type: ignore[index]
    assert client.call("library.show", track=track["id"])["state"] == track["state"]
    with pytest.raises(Refused, match="is failed"):
        client.call("prep.mastered", job=job["id"])


def test_the_same_request_twice_is_one_job_and_another_is_another(
    client: SocketClient, track: int
) -> None:
    presets = ("club", "club", "dj")
    first, again, other = (
        client.call("prep.master", track=track, preset=preset)["jobs"] for preset in presets
    )
    assert first == again != other


def test_presets_and_codecs_are_those_of_the_chain_in_every_place() -> None:
    hints = get_type_hints(MasterVerbs.prep_master)
    assert get_args(hints["preset"]) == tuple(PRESETS)
    assert get_args(hints["codec"]) == (*CODECS, NONE)
    assert get_args(hints["bits"]) == BITS
    helped = {option.name: option.help or "" for option in master.params if hasattr(option, "help")}
    assert all(preset in helped["preset"] for preset in PRESETS)
    assert all(codec in helped["codec"] for codec in (*CODECS, NONE))


def test_what_cannot_be_made_is_refused_at_once(client: SocketClient, track: int) -> None:
    odd: list[tuple[dict[str, object], str]] = [
        ({"preset": "radio"}, "preset"),
        ({"target_lufs": 3.0}, "target_lufs"),
        ({"format": "none", "compare": True}, "nothing to compare"),
        ({"track": "no such"}, "no such"),
        ({"reference": 99}, "99"),
    ]
    for options, words in odd:
        with pytest.raises(Refused, match=words):
            client.call("prep.master", **{"track": track, **options})
    with pytest.raises(Refused, match="is no mastering job"):
        client.call("prep.mastered", job=1)

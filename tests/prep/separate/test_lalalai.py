"""LALAL.AI, spoken to over real sockets: the way it goes, and every way it does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import deque

import numpy as np
import pytest
from fake_lalalai import LICENCE, FakeLalalai, shares_of
from separable import RATE, music, names_in, read

from sfa_engine.errors import Refused, WorkerError
from sfa_engine.library.secret import Secrets
from sfa_engine.prep.separate import licence
from sfa_engine.prep.separate.choice import EngineChoice
from sfa_engine.prep.separate.lalalai_api import MAX_POLL_S, Service
from sfa_engine.prep.separate.separation import SeparationRequest, separate

pytestmark = pytest.mark.slow


@pytest.fixture
def cloud():
    with FakeLalalai() as fake:
        yield fake


@pytest.fixture
def waits(monkeypatch):
    """What was waited for, in s; time does not pass."""
    waited = []
    init = Service.__init__
    monkeypatch.setattr(
        Service, "__init__", lambda self, key, url: init(self, key, url, waited.append)
    )
    return waited


@pytest.fixture
def order(cloud, song, tmp_path, monkeypatch, waits):  # noqa: ARG001 - time is not to pass
    monkeypatch.setenv("SFA_LALALAI_KEY", LICENCE)
    choice = EngineChoice(engine="lalalai", url=cloud.url)
    return SeparationRequest(path=song, out=tmp_path / "out", choice=choice, rate=RATE)


def run(order):
    return separate(order, lambda *_: None)


def test_stems_come_back_and_other_is_what_remains(order, cloud):
    told = run(order)
    mix = music(1.0)
    stems = read(told["stems"])
    for name, stem in shares_of(mix).items():
        np.testing.assert_allclose(stems[name], stem, atol=2e-3)
    np.testing.assert_allclose(sum(stems.values()), mix, atol=1e-6)
    assert told["quota"] == {"plan": "Plus pack", "left_min": 90.0}
    assert (told["engine"], told["model"]) == ("lalalai", "vocals,drums,bass")
    assert len(cloud.files) == 1
    assert LICENCE not in json.dumps(told)


def test_polling_slows_down_to_a_bound(order, cloud, waits):
    cloud.states.extend({"state": "progress", "progress": k} for k in range(12))
    run(order)
    assert waits[:3] == [2.0, 3.0, 4.5]
    assert max(waits) == MAX_POLL_S


def test_what_is_busy_is_asked_again_as_late_as_it_says(order, cloud, waits):
    cloud.trouble["/api/split/"] = deque([(429, {"Retry-After": "7"})])
    cloud.trouble["/api/check/"] = deque([500, 503, "cut"])
    run(order)
    assert 7.0 <= waits[0] <= 7.7
    assert [round(wait) for wait in waits[1:4]] == [1, 2, 4]
    assert cloud.requests.count("/api/split/") == 4


def test_a_download_that_breaks_off_is_fetched_again_whole(order, cloud):
    cloud.trouble["/media/file-1/drum"] = deque(["cut"])
    run(order)
    assert cloud.requests.count("/media/file-1/drum") == 2


def test_an_upload_is_not_sent_twice_once_it_may_have_been_taken(order, cloud):
    cloud.trouble["/api/upload/"] = deque(["cut"])
    with pytest.raises(WorkerError, match="does not answer") as caught:
        run(order)
    assert cloud.requests.count("/api/upload/") == 1
    assert caught.value.code == "taken"


@pytest.mark.parametrize(
    ("path", "trouble"),
    [
        ("/api/upload/", [500]),
        ("/api/upload/", [413]),
        ("/api/split/", [(429, {})] * 5),
        ("/api/check/", [500] * 5),
        ("/media/file-1/drum", ["cut"] * 5),
    ],
)
def test_what_fails_once_the_upload_may_be_there_is_not_for_another_try(
    order, cloud, path, trouble
):
    cloud.trouble[path] = deque(trouble)
    with pytest.raises(WorkerError, match=r"LALAL\.AI .*again") as caught:
        run(order)
    assert caught.value.code == "taken"
    assert cloud.requests.count("/api/upload/") == 1


def test_a_fault_of_ours_once_the_upload_is_there_is_not_for_another_try(order, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Service, "download", full)
    with pytest.raises(WorkerError, match="No space left") as caught:
        run(order)
    assert caught.value.code == "taken"


def test_an_upload_that_was_turned_away_may_be_tried_again(order, cloud):
    cloud.trouble["/api/upload/"] = deque([(429, {})] * 5)
    with pytest.raises(WorkerError, match="answers 429") as caught:
        run(order)
    assert caught.value.code == "worker"


def test_a_service_that_stays_down_is_given_up(order, cloud, waits):
    cloud.trouble["/billing/get-limits/"] = deque([500] * 20)
    with pytest.raises(WorkerError, match="answers 500"):
        run(order)
    assert len(waits) == 4


def test_a_service_that_hangs_is_given_up(order, cloud, monkeypatch):
    monkeypatch.setattr("sfa_engine.prep.separate.lalalai_api.TIMEOUT_S", 0.05)
    cloud.trouble["/billing/get-limits/"] = deque(["hang"] * 20)
    with pytest.raises(WorkerError, match="does not answer"):
        run(order)


def test_a_service_that_is_not_there_is_told(order, waits):
    gone = SeparationRequest(
        order.path, order.out, choice=EngineChoice(engine="lalalai", url="http://127.0.0.1:9")
    )
    with pytest.raises(WorkerError, match="does not answer") as caught:
        run(gone)
    assert caught.value.code == "worker"
    assert len(waits) == 4


def test_a_proxy_that_cannot_be_used_is_told(order, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9")
    with pytest.raises(WorkerError, match=r"cannot connect to LALAL\.AI .*ALL_PROXY"):
        run(order)


def test_a_licence_that_is_not_accepted_is_refused_and_not_shown(order, monkeypatch):
    monkeypatch.setenv("SFA_LALALAI_KEY", "not-mine")
    with pytest.raises(Refused, match="licence key") as caught:
        run(order)
    assert "not-mine" not in str(caught.value)


def test_too_few_minutes_are_refused_before_the_upload(order, cloud):
    cloud.left_min = 0.01
    with pytest.raises(Refused, match=r"0\.05 minutes.*0\.01 left"):
        run(order)
    assert not cloud.files


@pytest.mark.parametrize("state", ["error", "cancelled"])
def test_a_job_that_fails_there_is_told_and_cancelled(order, cloud, tmp_path, state):
    cloud.states.append({"state": state, "error": "the file is odd"})
    with pytest.raises(WorkerError, match="the file is odd") as caught:
        run(order)
    assert caught.value.code == "taken"
    assert cloud.cancelled == ["file-1"]
    assert names_in(tmp_path) == ["song.wav"]


def test_a_preview_sends_only_the_preview(order, cloud, tmp_path):
    import io

    import soundfile

    path = tmp_path / "long.wav"
    soundfile.write(path, music(4.0), RATE)
    run(SeparationRequest(path, order.out, choice=order.choice, rate=RATE, preview_s=2.0))
    assert soundfile.info(io.BytesIO(cloud.files["file-1"])).frames == 2 * RATE


def test_extra_stems_are_asked_for_by_name(order):
    more = EngineChoice(engine="lalalai", model="vocals,piano", url=order.choice.url)
    told = run(SeparationRequest(order.path, order.out, choice=more, rate=RATE))
    assert list(told["stems"]) == ["vocals", "piano", "other"]
    with pytest.raises(Refused, match='did you mean "strings"'):
        run(
            SeparationRequest(
                order.path, order.out, choice=EngineChoice(engine="lalalai", model="string")
            )
        )


def test_the_key_is_the_environments_or_the_kept_one(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("SFA_LALALAI_KEY", raising=False)
    with pytest.raises(Refused, match="sfa secret set lalalai"):
        licence.licence()
    Secrets().set("lalalai", "kept")
    assert licence.licence() == "kept"
    monkeypatch.setenv("SFA_LALALAI_KEY", "named")
    assert licence.licence() == "named"


def test_a_worker_that_is_asked_to_end_cancels_the_job_there(cloud, song, tmp_path):
    cloud.states.extend({"state": "progress", "progress": 90} for _ in range(100))
    request = {"path": str(song), "out": str(tmp_path / "out"), "engine": "lalalai"}
    with subprocess.Popen(
        [sys.executable, "-m", "sfa_engine.prep.separate"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"SFA_LALALAI_KEY": LICENCE, "SFA_LALALAI_URL": cloud.url},
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            if json.loads(line).get("progress", 0) > 0.3:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
    assert cloud.cancelled == ["file-1"]
    assert names_in(tmp_path) == ["song.wav"]

"""The worker program: what it is asked, what it answers, what it must not import."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from sfa_engine.prep.analyse.__main__ import work
from sfa_engine.prep.worker import serve

PROGRAM = [sys.executable, "-W", "error", "-m", "sfa_engine.prep.analyse"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    file = tmp_path_factory.mktemp("clip") / "click clip.wav"
    sound = np.zeros(44_100 * 8, np.float32)
    for beat in range(16):
        at = round(beat * 44_100 * 0.5)
        sound[at : at + 200] = 0.5 * (-1) ** np.arange(200)
    soundfile.write(file, sound, 44_100)
    return file


def answers(**request) -> tuple[int, list[dict]]:
    out = io.StringIO()
    status = serve(work, io.BytesIO(json.dumps(request).encode() + b"\n"), out)
    return status, [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    "request_", [{}, {"path": 7}, {"path": ""}, {"path": "a", "stems": ["b"]}, {"path": "a\0b"}]
)
def test_a_request_without_a_file_is_refused(request_):
    status, told = answers(**request_)
    assert (status, told[0]["code"]) == (1, "refused")


def test_a_stem_that_is_no_name_of_a_file_is_refused():
    status, told = answers(path="a.wav", stems={"drums": 3})
    assert (status, told[0]["code"]) == (1, "refused")


def test_a_missing_file_is_named():
    status, told = answers(path="/nowhere/x.flac")
    assert (status, told[-1]["code"]) == (1, "media")
    assert "/nowhere/x.flac" in told[-1]["error"]


def test_a_missing_stem_is_named(clip):
    status, told = answers(path=str(clip), stems={"drums": "/nowhere/drums.wav"})
    assert status == 1
    assert "/nowhere/drums.wav" in told[-1]["error"]


@pytest.mark.slow
def test_the_program_tells_its_progress_and_then_the_result(clip):
    request = json.dumps({"path": str(clip), "stems": {"drums": str(clip)}}) + "\n"
    ran = subprocess.run(
        PROGRAM, input=request, capture_output=True, text=True, check=True, timeout=60
    )
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    shares = [m["progress"] for m in told[:-1]]
    assert shares == sorted(shares)
    assert shares
    assert round(told[-1]["result"]["bpm"]) == 120
    assert ran.stderr == ""


@pytest.mark.slow
def test_a_damaged_file_is_an_error_line(tmp_path):
    file = tmp_path / "x.mp3"
    file.write_bytes(b"no music at all" * 100)
    request = json.dumps({"path": str(file)}) + "\n"
    ran = subprocess.run(
        PROGRAM, input=request, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 1
    assert str(file) in json.loads(ran.stdout.splitlines()[-1])["error"]


@pytest.mark.slow
def test_the_worker_imports_neither_torch_nor_librosa_nor_numba_nor_scipy():
    code = (
        "import sys, sfa_engine.prep.analyse.analysis;"
        "print([m for m in ('torch', 'librosa', 'numba', 'scipy') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == "[]"

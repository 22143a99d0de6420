"""The worker program and the command before it, as programs."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sfa_engine.prep.analyse.worker import main as worker

from sfa_engine.cli.analyze import WorkerError, in_words, run_worker
from sfa_engine.cli.main import main as sfa
from sfa_engine.errors import SfaError

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


def answers(request: str) -> tuple[int, list[dict]]:
    out = io.StringIO()
    status = worker(io.StringIO(request), out)
    return status, [json.loads(line) for line in out.getvalue().splitlines()]


@given(st.text(max_size=60))
def test_garbage_is_answered_with_one_error(garbage):
    status, told = answers(garbage)
    assert status == 1
    assert [set(message) for message in told] == [{"error", "hint", "code"}]
    assert "\n" not in told[0]["error"]


@pytest.mark.parametrize("request_", ["", "{}", "[]", '{"path": 7}', '{"path": "a\\u0000b"}'])
def test_a_request_without_a_file_is_refused(request_):
    status, told = answers(request_)
    assert (status, told[0]["code"]) == (1, "refused")


def test_a_missing_file_is_named():
    status, told = answers('{"path": "/nowhere/x.flac"}')
    assert status == 1
    assert "/nowhere/x.flac" in told[-1]["error"]


@pytest.mark.slow
def test_the_program_tells_its_progress_and_then_the_result(clip):
    request = json.dumps({"path": str(clip)}) + "\n"
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
def test_the_worker_imports_neither_torch_nor_librosa_nor_scipy_signal():
    code = (
        "import sys, sfa_engine.prep.analyse.analysis;"
        "print([m for m in ('torch', 'librosa', 'numba', 'scipy') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_command_prints_one_object(clip):
    said = CliRunner().invoke(sfa, ["analyze", str(clip), "--json"])
    assert said.exit_code == 0
    told = json.loads(said.output)
    assert round(told["bpm"]) == 120
    assert list(told)[:3] == ["duration_s", "bpm", "confidence"]
    assert " BPM" in in_words(told)


@pytest.mark.slow
def test_a_bad_file_does_not_keep_the_others_from_being_analysed(clip, tmp_path):
    said = CliRunner().invoke(sfa, ["analyze", str(tmp_path / "no.wav"), str(clip), "--json"])
    assert said.exit_code == 1
    assert said.stderr.count("no.wav") == said.stderr.count("\n") == 1
    assert json.loads(said.stdout)["file"] == str(clip)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("import os; os.kill(os.getpid(), 9)", "signal 9"),
        ("import sys; sys.exit('out of cheese')", "out of cheese"),
        ("print('garbage'); print('[1]'); print('{}')", "said nothing"),
        ("import os; os.close(0); os.close(1); os._exit(3)", "status 3"),
    ],
)
def test_a_worker_that_ends_without_an_answer_is_an_error_of_one_line(tmp_path, body, why):
    with pytest.raises(WorkerError) as error:
        run_worker(tmp_path / "a.wav", lambda *_: None, (sys.executable, "-c", body))
    assert why in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_garbage_between_a_workers_messages_is_passed_over(tmp_path):
    body = (
        "import json, sys; sys.stderr.write('x' * 300000);"
        "print('noise'); print(json.dumps({'progress': 0.5}));"
        "print(json.dumps({'result': {'bpm': 1}}))"
    )
    seen = []
    told = run_worker(
        tmp_path / "a.wav", lambda share, _: seen.append(share), (sys.executable, "-c", body)
    )
    assert (told, seen) == ({"bpm": 1}, [0.5])


@pytest.mark.slow
def test_what_a_worker_refuses_is_said_in_its_words(tmp_path):
    body = 'print(\'{"error": "too long", "hint": "cut it"}\')'
    with pytest.raises(SfaError, match="too long; cut it"):
        run_worker(tmp_path / "a.wav", lambda *_: None, (sys.executable, "-c", body))

"""What is made of a worker's answers: words for a person, one-line errors."""

from __future__ import annotations

import sys

import pytest

from sfa_engine.cli.analyze import WorkerError, in_words, run_worker
from sfa_engine.errors import SfaError

TOLD = {
    "bpm": 122.5,
    "variable": False,
    "confidence": 0.4,
    "key": "A minor",
    "camelot": "8A",
    "lufs": -9.27,
    "peak_dbtp": 0.31,
    "energy": 0.7,
    "sections": [{"label": "intro"}, {"label": "drop"}],
}


def test_a_result_in_words_says_when_the_grid_wants_checking():
    assert in_words(TOLD) == (
        "122.5 BPM, check the grid, A minor (8A), -9.3 LUFS, peak +0.3 dBTP, energy 0.70; "
        "intro, drop"
    )


def test_a_track_without_beat_and_key_is_said_to_have_none():
    told = TOLD | {"bpm": None, "key": None, "camelot": None, "sections": []}
    assert in_words(told).startswith("no beat, no key")
    assert in_words(told).endswith("no sections")


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

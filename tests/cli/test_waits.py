"""A batch in which nothing runs says what it waits for."""

import json

from sfa_engine.cli.job_progress import JobLines, JobProgress

PUT_OFF = {
    "id": 5, "kind": "download", "title": "a song", "wait_s": 240.4,
    "error": {"message": "the service rests", "hint": "it is tried again"},
}  # fmt: skip


def test_a_job_that_is_put_off_is_told_with_its_time_and_reason(capfd):
    with JobProgress() as board:
        board.wait([PUT_OFF])
    said = " ".join(capfd.readouterr().err.split())
    assert "download a song: next attempt in 240 s after: the service rests" in said


def test_programs_get_it_as_a_line(capsys):
    JobLines().wait([PUT_OFF])
    assert json.loads(capsys.readouterr().out)["wait_s"] == 240.4

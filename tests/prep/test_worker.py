"""The worker protocol: requests that are odd, results, faults, and the leash."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import MediaError, Refused
from sfa_engine.prep.worker import MAX_REQUEST_BYTES, field, serve


def ask(work: Any, line: bytes) -> tuple[int, list[dict[str, Any]]]:
    answers = io.StringIO()
    status = serve(work, io.BytesIO(line), answers)
    return status, [json.loads(text) for text in answers.getvalue().splitlines()]


def test_a_result_comes_with_status_0_after_progress_by_hundredths() -> None:
    def work(request: Any, progress: Any) -> dict[str, Any]:
        for step in range(1001):
            progress(step / 1000, "counting")
        return {"twice": 2 * field(request, "number", int)}

    status, said = ask(work, b'{"number": 21}\n')
    assert status == 0
    assert said[-1] == {"result": {"twice": 42}}
    assert said[0] == {"progress": 0.0, "doing": "counting"}
    assert 90 <= len(said) <= 103


def test_other_words_and_less_progress_are_told_some_times_a_second() -> None:
    time_s = 0.0

    def work(_: Any, progress: Any) -> dict[str, Any]:
        nonlocal time_s
        for percent in range(101):
            time_s += 0.1
            progress(0.0, f"fetching, {percent} %")
        progress(0.9, "downloading")
        for step in range(100):
            time_s += 0.1
            progress(step / 1000, "asking another")
        return {}

    answers = io.StringIO()
    serve(work, io.BytesIO(b"{}\n"), answers, lambda: time_s)
    *told, _ = [json.loads(text) for text in answers.getvalue().splitlines()]
    fetching = [each["doing"] for each in told if each["doing"].startswith("fetching")]
    assert 30 <= len(fetching) <= 42
    assert "fetching, 99 %" in fetching
    others = [each["progress"] for each in told if each["doing"] == "asking another"]
    assert others == sorted(others)
    assert others[0] < 0.01
    assert len(others) >= 9


def test_an_error_is_told_with_its_hint_and_code() -> None:
    def work(*_: Any) -> dict[str, Any]:
        raise MediaError("no sound in it", "take another")

    assert ask(work, b"{}\n") == (
        1,
        [{"error": "no sound in it", "hint": "take another", "code": "media"}],
    )


@pytest.mark.parametrize("error", [ZeroDivisionError("by nothing"), MemoryError(), ValueError("x")])
def test_a_fault_is_told_and_does_not_escape(error: Exception) -> None:
    def work(*_: Any) -> dict[str, Any]:
        raise error

    status, said = ask(work, b"{}\n")
    assert status == 1
    assert said[0]["code"] in {"fault", "worker"}


def test_a_result_that_is_no_json_is_a_fault() -> None:
    status, said = ask(lambda _, __: {"bpm": float("nan")}, b"{}\n")
    assert status == 1
    assert said[0]["code"] == "fault"


@given(st.binary(max_size=200))
def test_any_request_is_answered_or_refused(line: bytes) -> None:
    status, said = ask(lambda request, _: {"path": field(request, "path", str)}, line)
    assert len(said) == 1
    assert status == 0 or said[0]["code"] == "refused"


def test_a_request_without_end_is_refused() -> None:
    status, said = ask(lambda _, __: {}, b"[" * (MAX_REQUEST_BYTES + 10))
    assert status == 1
    assert said[0]["code"] == "refused"


@pytest.mark.parametrize(
    ("request_", "kind"),
    [({}, str), ({"x": 1}, str), ({"x": True}, int), ({"x": None}, float), ({"x": "a\0"}, str)],
)
def test_a_field_of_another_type_is_refused(request_: dict[str, Any], kind: type) -> None:
    with pytest.raises(Refused):
        field(request_, "x", kind)


PROGRAM = textwrap.dedent(
    """
    import subprocess, sys, time
    from sfa_engine.prep.worker import main

    def work(request, progress):
        print("a library talks")
        child = subprocess.Popen(["sleep", "60"])
        progress(0.5, str(child.pid))
        if request.get("wait"):
            time.sleep(60)
        child.kill()
        return {}

    sys.exit(main(work))
    """
)


def start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.slow
def test_what_libraries_print_goes_to_the_log() -> None:
    with start() as process:
        out, err = process.communicate(b"{}\n", timeout=20)
    assert [list(json.loads(line)) for line in out.splitlines()] == [
        ["progress", "doing"],
        ["result"],
    ]
    assert b"a library talks" in err


@pytest.mark.slow
def test_on_a_leash_a_worker_ends_with_its_children_when_the_asker_is_gone() -> None:
    with start() as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b'{"leash": true, "wait": true}\n')
        process.stdin.flush()
        child = int(json.loads(process.stdout.readline())["doing"])
        process.stdin.close()
        assert process.wait(timeout=10) == -9
        descriptor = -1
        try:
            descriptor = os.pidfd_open(child)
        except ProcessLookupError:
            return
        assert select.select([descriptor], [], [], 10)[0], "the child lives on"
        os.close(descriptor)

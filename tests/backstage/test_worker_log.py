"""What a worker says besides its messages is in backstage's log, line by line."""

from __future__ import annotations

import asyncio
import logging
import textwrap
import uuid
from contextlib import suppress

import pytest

from sfa_engine.backstage.runner import LOG_BYTES, WorkerRequest, run_worker
from sfa_engine.errors import WorkerError

HEAD = "import json, os, signal, sys\njson.loads(sys.stdin.readline())\n"


def logged(body: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.set_level(logging.INFO, "sfa_engine")
    program = ("-c", HEAD + textwrap.dedent(body))
    with suppress(WorkerError):
        asyncio.run(run_worker(WorkerRequest(program, {}, f"test-{uuid.uuid4()}", 60.0)))
    said = [record.getMessage() for record in caplog.records if record.name.startswith("sfa_")]
    return [each.partition("]: ")[2] for each in said]


def test_lines_of_standard_error_and_what_is_no_message_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = """
        print("reading", file=sys.stderr)
        print("a library said this")
        print(json.dumps({"unknown": 1}))
        print("  0%\\r 50%\\r100%", file=sys.stderr)
        sys.stderr.write("no end of line")
        sys.stderr.flush()
        print(json.dumps({"result": {}}))
    """
    said = logged(body, caplog)
    assert sorted(said) == sorted(
        ["reading", "a library said this", '{"unknown": 1}', "100%", "no end of line"]
    )


def test_the_last_lines_of_a_worker_that_is_killed_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = logged(
        "print('about to die', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIGKILL)",
        caplog,
    )
    assert said == ["about to die"]


def test_bytes_without_an_end_are_logged_in_pieces_and_not_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = f"""
        sys.stderr.write("x" * {10 * LOG_BYTES})
        sys.stderr.flush()
        print(json.dumps({{"result": {{}}}}))
    """
    said = logged(body, caplog)
    assert "".join(said) == "x" * 10 * LOG_BYTES
    assert len(said) > 1

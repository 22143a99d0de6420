"""The command line reaches backstage, also while one is about to end or to begin."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfa_engine.run.folders import memory_path
from sfa_engine.system.process_lock import lock_holder, take_lock
from sfa_engine.system.runtime_files import BACKSTAGE_LOCK

pytestmark = pytest.mark.slow

ASK = """
import sys, time
from pathlib import Path
from sfa_engine.cli.backstage import backstage
from sfa_engine.errors import SfaError
for pause_s in sys.argv[2:]:
    time.sleep(float(pause_s))
    try:
        with backstage(10.0, Path(sys.argv[1])) as client:
            print(client.call("jobs.list")["counts"]["done"])
    except SfaError as error:
        print(error)
"""


@pytest.fixture
def runtime() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sfa-", dir=memory_path()) as folder:
        yield Path(folder)
        while lock_holder(Path(folder) / BACKSTAGE_LOCK):  # the last one ends with its last client
            time.sleep(0.05)


def answers(runtime: Path, data: Path, *pauses_s: float, **environment: str) -> list[str]:
    """Return what a program is told that asks backstage again and again."""
    folders = {"XDG_DATA_HOME": str(data), "XDG_CONFIG_HOME": str(data)}
    asked = subprocess.run(
        [sys.executable, "-c", ASK, str(runtime), *map(str, pauses_s)],
        env={**os.environ, **folders, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return asked.stdout.splitlines()


def test_one_that_is_ending_is_waited_for(runtime: Path, tmp_path: Path) -> None:
    held = take_lock(runtime / BACKSTAGE_LOCK, "backstage", "wait")
    ending = threading.Timer(1.0, os.close, [held])
    ending.start()
    assert answers(runtime, tmp_path, 0.0) == ["0"]
    ending.join()


@pytest.mark.nightly
def test_who_comes_just_when_it_ends_is_served_all_the_same(runtime: Path, tmp_path: Path) -> None:
    pauses_s = [0.0, *(0.99 + 0.002 * number for number in range(12))]
    assert answers(runtime, tmp_path, *pauses_s) == ["0"] * 13


def test_one_that_cannot_start_is_told_with_its_last_words(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "sfa").mkdir()
    (tmp_path / "sfa" / "library.db").write_bytes(b"no database at all" * 100)
    (said,) = answers(runtime, tmp_path, 0.0)
    assert said.startswith("backstage did not start: library")


def test_a_folder_that_cannot_be_written_is_named_with_the_reason(
    runtime: Path, tmp_path: Path
) -> None:
    (file := tmp_path / "no folder").write_text("")
    folders = {"XDG_DATA_HOME": str(file), "XDG_STATE_HOME": str(file)}
    (said,) = answers(runtime, tmp_path, 0.0, **folders)
    assert said == (
        f"backstage did not start: {file}/sfa: Not a directory; "
        "check its permissions and the free space"
    )


def test_a_log_that_cannot_be_written_is_no_reason_not_to_run(
    runtime: Path, tmp_path: Path
) -> None:
    (file := tmp_path / "no folder").write_text("")
    assert answers(runtime, tmp_path, 0.0, XDG_STATE_HOME=str(file)) == ["0"]

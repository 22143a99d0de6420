"""The rule that CI skips nothing, seen from outside: a pytest of its own on a small file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

MISSING = "import pytest\n\npytest.importorskip('no_such_package')\n"
MIXED = """
import pytest

def test_passes():
    pass

@pytest.mark.skipif(True, reason="no card")
def test_skips():
    pass

@pytest.mark.xfail(reason="known")
def test_fails_as_expected():
    assert False
"""


def run(folder: Path, source: str, **environment: str) -> str:
    shutil.copy(Path(__file__).parent / "conftest.py", folder)
    (folder / "test_it.py").write_text(source)
    clean = {name: value for name, value in os.environ.items() if name != "CI"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout


def test_a_skip_is_a_skip_on_an_ordinary_machine(tmp_path):
    assert "1 passed, 1 skipped, 1 xfailed" in run(tmp_path, MIXED)


def test_a_skip_is_a_failure_in_ci_and_says_its_reason(tmp_path):
    said = run(tmp_path, MIXED, CI="true")
    assert "1 passed, 1 xfailed, 1 error" in said
    assert "test_skips may not be skipped here. Skipped: no card" in said


def test_a_module_that_skips_itself_is_an_error_in_ci(tmp_path):
    said = run(tmp_path, MISSING, CI="true")
    assert "test_it.py may not be skipped here. Skipped: could not import" in said
    assert "1 error" in said

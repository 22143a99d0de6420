"""The command line and the engine in processes of their own, for the tests here."""

import os
import subprocess
import sys

import pytest
from engine_process import bundles, silent_engine  # noqa: F401 - fixtures, found by their names


@pytest.fixture
def sfa(tmp_path):
    """Run the command in a world of its own; return status, output and errors."""
    (tmp_path / "config.toml").touch()

    def run(*words, stdin="", **environment):
        done = subprocess.run(
            [sys.executable, "-m", "sfa_engine.cli.main", *map(str, words)],
            env={
                **os.environ,
                "SFA_RUNTIME": str(tmp_path / "run"),
                "SFA_CONFIG": str(tmp_path / "config.toml"),
                "XDG_DATA_HOME": str(tmp_path / "data"),
                **environment,
            },
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run

"""What a command may import: each is a process of its own, and pays for all of it."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

# Each costs more than 10 ms of CPU time; of the 150 ms of `get`, Python and click take half.
HEAVY = (
    *("numpy", "rich", "asyncio", "trio", "llvmlite", "numba", "scipy", "httpx", "ssl"),
    *("tomllib", "platformdirs", "sqlite3", "subprocess", "logging"),
    *("sfa_engine.run.config", "sfa_engine.library", "sfa_engine.host", "sfa_engine.desk"),
)


COMMANDS = (
    ["get", "deck1.fader"],
    ["set", "deck1.fader", "-6"],
    ["press", "deck1.hotcue1.clear"],
    ["status"],
    ["status", "--json"],
    ["health"],
    ["eject", "1"],
)


def test_a_command_to_the_engine_imports_nothing_heavy(silent_engine):
    code = (
        "import sys\n"
        "from sfa_engine.cli.main import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        f"print('heavy:', *sorted(set({HEAVY!r}) & sys.modules.keys()), file=sys.stderr)\n"
    )
    heavy = {}
    for words in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env={**os.environ, "SFA_RUNTIME": str(silent_engine.runtime)},
            capture_output=True,
            text=True,
            check=False,
        )
        heavy[" ".join(words)] = done.stderr.splitlines()[-1]
    assert heavy == {" ".join(words): "heavy:" for words in COMMANDS}

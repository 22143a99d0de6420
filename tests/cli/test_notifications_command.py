"""`sfa notifications`: a table, JSON, and what was read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sfa_engine.run.folders import runtime_path
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


def test_notifications_are_listed_and_read(ask):
    assert ask("notifications") == (0, "", "no notifications\n")
    with SocketClient(runtime_path() / BACKSTAGE_SOCKET, 30.0) as client:
        for level, sentence in (("error", "import of song failed: no sound"), ("info", "2 ready")):
            client.call(
                "notifications.add", level=level, kind="a.b", sentence=sentence, hint="see it"
            )
    status, out, _ = ask("notifications", "list", "--unread")
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split() == ["number", "kind", "what", "since"]
    assert lines[1].split()[:2] == ["2", "a.b"]
    assert lines[3].split()[:3] == ["1", "✗", "a.b"]
    assert "import of song failed: no sound" in " ".join(lines[3].split())
    said = json.loads(ask("notifications", "list", "--json", "--limit", "1")[1])
    assert said["unread"] == 2
    assert [each["id"] for each in said["notifications"]] == [2]
    assert ask("notifications", "read", "2")[1] == "read: 1 notification\n"
    assert ask("notifications", "read", "--all")[1] == "read: 1 notification\n"
    assert ask("notifications", "list", "--unread") == (0, "", "nothing new\n")
    status, _, errors = ask("notifications", "read")
    assert (status, "no notification is named" in errors) == (1, True)
    status, _, errors = ask("notifications", "read", "77")
    assert (status, "no notification 77" in errors) == (1, True)


def test_unread_numbers_are_completed(backstage):
    path = Path(backstage["SFA_RUNTIME"]) / BACKSTAGE_SOCKET
    with SocketClient(path, 30.0) as client:
        added = client.call("notifications.add", level="info", kind="a.b", sentence="hello")
    asked = {
        "_SFA_COMPLETE": "zsh_complete",
        "COMP_WORDS": "sfa notifications read ",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        [sys.executable, "-m", "sfa_engine.cli.main"],
        env={**os.environ, **backstage, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:3] == ["plain", str(added["notification"]), "hello"]

"""`sfa ask` and `sfa proposals` beside a real backstage; a dialogue on a real terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from fake_llm import KEY
from proposal_shop import proposal, proposal_shop

from sfa_engine.cli.completion import proposals as completed
from sfa_engine.cli.main import main

pytestmark = pytest.mark.slow
CUE = ("library.cue", {"track": 1, "position_s": 4.0, "hot_cue": 4, "label": "vox"})


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with proposal_shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest.fixture
def sfa(shop, monkeypatch):
    """Run the command in this process; return status, output and errors."""
    for name in ("SFA_RUNTIME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, shop.house.env[name])

    def run(*words):
        done = CliRunner().invoke(main, list(map(str, words)))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run


def test_an_answer_is_printed_with_proposals_and_how_to_apply_them(sfa, shop):
    question = json.dumps({"output": "Set them.", "proposals": [proposal("cues", CUE)]})
    status, output, errors = sfa("ask", "--task", "cues", "--track", "title 2", question)
    (number,) = (each["id"] for each in shop.client.call("proposals.list")["proposals"])
    assert output == (
        "Set them.\n"
        f"proposal {number}: some cues\n"
        "  because\n"
        f"  apply it: sfa proposals apply {number}\n"
        "ask next:\n"
        "  and then?\n"
    )
    assert status == 0
    assert "note:" not in errors
    said = json.loads(sfa("ask", "--json", "--no-model", question)[1])
    assert (said["output"], said["notes"]) == ("Set them.", [])
    assert [each["id"] for each in said["proposals"]] == [number]
    status, output, _ = sfa("proposals")
    assert status == 0
    assert output.splitlines()[1].split()[:3] == [str(number), "cues", "open"]
    status, output, _ = sfa("proposals", "show", number)
    assert output.splitlines()[0] == f"{number}: some cues"
    assert "  library.cue track=1 position_s=4.0 hot_cue=4 label=vox" in output.splitlines()
    assert sfa("proposals", "apply", number, 999) == (
        1,
        f"{number} is applied: some cues; undo it: sfa proposals undo {number}\n",
        "sfa: no proposal 999; see `sfa proposals`\n",
    )
    status, output, _ = sfa("audit", "--verb", "library.cue", "--limit", 1)
    assert "agent cues" in output
    assert sfa("proposals", "undo", number) == (0, f"{number} is undone: some cues\n", "")
    assert sfa("proposals")[1:] == ("", "nothing is proposed; ask an agent: sfa ask\n")
    assert json.loads(sfa("proposals", "list", "--all", "--json")[1])[0]["state"] == "undone"


def test_proposals_are_dropped_when_that_is_confirmed(sfa, shop):
    question = json.dumps({"cues": {"track": 2, "steps": 1, "proposals": 2}})
    said = json.loads(sfa("ask", "--json", "--no-model", question)[1])
    first, second = (each["id"] for each in said["proposals"])
    status, _, errors = sfa("proposals", "drop", first)
    assert (status, "add --yes" in errors) == (1, True)
    assert [each.value for each in completed(_context("apply"), None, "")] == [
        str(second),
        str(first),
    ]
    assert sfa("proposals", "drop", first, second, "--yes") == (
        0,
        f"{first} is dropped\n{second} is dropped\n",
        "",
    )
    assert completed(_context("drop"), None, "") == []
    status, output, _ = sfa("proposals", "show", first, "--json")
    assert json.loads(output)["state"] == "dropped"
    assert shop.client.call("proposals.list")["proposals"] == []


def _context(name):
    return main.make_context(name, [], resilient_parsing=True)


def test_mistakes_are_one_line(sfa):
    assert sfa("ask") == (1, "", 'sfa: no question is asked; give words: `sfa ask "…"`\n')
    status, _, errors = sfa("ask", "--task", "cue", "{}")
    assert (status, errors) == (1, 'sfa: no agent "cue"; did you mean "cues"?\n')
    status, _, errors = sfa("ask", "--track", "no such track", "{}")
    assert (status, errors.count("\n")) == (1, 1)
    assert sfa("proposals", "apply")[0] == 2
    assert sfa("proposals", "undo", "x")[0] == 2


class Terminal:
    """`sfa ask` on a terminal of its own."""

    def __init__(self, environment):
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sfa_engine.cli.main", "ask"],
            env={**os.environ, **environment, "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def write(self, text):
        os.write(self._ours, text.encode())

    def read_until(self, sign):
        said, give_up = "", time.monotonic() + 60
        while sign not in said:
            assert time.monotonic() < give_up, said
            if select.select([self._ours], [], [], 0.1)[0]:
                said += os.read(self._ours, 65536).decode(errors="replace")
        return said

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def wait(self):
        return self._process.wait(60)


def test_a_dialogue_streams_and_knows_the_questions_before(shop):
    shop.client.call("llm.add", name="rig", adapter="anthropic", key=KEY)
    terminal = Terminal(shop.house.env)
    try:
        terminal.read_until("ask> ")
        terminal.write(json.dumps({"pieces": ["One. ", "Two."]}) + "\n")
        said = terminal.read_until("ask> ")
        assert "One. Two." in said
        assert "One. Two.\r\nOne" not in said  # shown once
        assert "worded by m" in said
        terminal.write(json.dumps({"pieces": ["half "], "model_fails": "away"}) + "\n")
        said = terminal.read_until("ask> ")
        assert said.index("---") < said.index("done") < said.index("note: answered by rules: away")
        terminal.write("x" * 2001 + "\n")
        assert "instruction is" in terminal.read_until("ask> ")
        terminal.write("\n")
        assert terminal.wait() == 0
    finally:
        terminal.close()
        shop.client.call("llm.remove", name="rig")

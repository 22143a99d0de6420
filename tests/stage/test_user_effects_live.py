"""User effects from a control of the stage to a process of the host, on a running engine."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from engine_process import Show, until
from quiet_track import call

import sfa_engine
from sfa_engine.errors import Refused
from sfa_engine.host.requests import Requests
from sfa_engine.system.runtime_files import HOST_SOCKET
from sfa_engine.wire.blocking import SocketClient
from sfa_engine.wire.verbs import verbs_of

PATCH = "def process(samples, knobs, beat, tempo):\n    return samples * knobs[0]\n"


def effects_of(engine: Show) -> list[dict[str, Any]]:
    with SocketClient(engine.runtime / HOST_SOCKET, 30.0, "the host") as host:
        found: list[dict[str, Any]] = host.call("info")["effects"]
        return found


def asked_of_the_host() -> set[str]:
    """Return the methods that `ask_host` is called with in the sources."""
    found = set()
    for file in Path(sfa_engine.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ask_host":
                method = node.args[1]
                assert isinstance(method, ast.Constant), f"{file}:{node.lineno}"
                found.add(method.value)
    return found


def test_the_host_has_every_verb_that_the_stage_asks_for() -> None:
    asked = asked_of_the_host()
    assert len(asked) > 10
    assert asked - set(verbs_of(Requests)) == set()


@pytest.mark.slow
def test_a_patch_that_is_chosen_runs_and_is_reloaded(quiet_engine: Show) -> None:
    folder = quiet_engine.runtime / "data" / "sfa" / "patches"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "half.py").write_text(PATCH)
    with pytest.raises(Refused, match="is not the name of a patch"):
        call(quiet_engine, "set", path="fx1.slot1.patch", value="../half")
    call(quiet_engine, "set", path="fx1.slot1.kind", value="user")
    call(quiet_engine, "set", path="fx1.slot1.patch", value="half")
    until(lambda: [each["running"] for each in effects_of(quiet_engine)] == [True], "the patch")
    assert call(quiet_engine, "fx.reload") == {"reloaded": 1}
    until(lambda: [each["running"] for each in effects_of(quiet_engine)] == [True], "its reload")
    call(quiet_engine, "set", path="fx1.slot1.patch", value="")
    until(lambda: not effects_of(quiet_engine), "its end")

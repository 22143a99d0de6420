"""``/api/system``: processes, memory, restarts."""

import json
import os
import time

from served import run_site

from sfa_engine.system.runtime_files import RESTARTS
from sfa_engine.web.processes import described


def test_a_process_has_its_memory_and_its_last_restart(tmp_path):
    (tmp_path / RESTARTS).write_text(json.dumps({"stage": {"at": 1.0, "why": "SIGKILL"}}))
    found = described(tmp_path)
    by_name = {each["name"]: each for each in found["processes"]}
    assert by_name["web"]["pid"] == os.getpid()
    assert by_name["web"]["memory_bytes"] > 1e6
    assert 0 <= time.time() - by_name["web"]["since_s"] < 3600
    assert by_name["host"] == {
        "name": "host", "pid": None, "memory_bytes": None, "since_s": None, "restart": None,
    }  # fmt: skip
    assert by_name["stage"]["restart"]["why"] == "SIGKILL"
    assert found["memory"]["total_bytes"] > found["memory"]["available_bytes"] > 0


def test_processes_are_for_admins(tmp_path):
    async def scenario(site):
        async with site.client(site.user("eve", "moderator", ["read", "perform"])) as client:
            assert (await client.get("/api/system")).status_code == 403
        async with site.client(site.user("ann", "admin", ["read", "admin"])) as client:
            assert (await client.get("/api/system")).json()["processes"][0]["name"] == "host"

    run_site(scenario, tmp_path)

"""The links of our outputs on a JACK server."""

import subprocess
import sys

import pytest
from engine_process import until

pytestmark = [pytest.mark.realtime, pytest.mark.slow]

UNLINK = """
from sfa_engine.host import jack
graph = jack.Graph()
port = "Sound Forge Alchemy:out_1"
before = graph.links(port)
graph.unlink(port, before[0])
print(before, flush=True)
graph.close()
"""
LINKS = """
from sfa_engine.host import jack
graph = jack.Graph()
print(graph.links("Sound Forge Alchemy:out_1"), flush=True)
graph.close()
"""


def test_an_output_that_loses_its_link_on_a_jack_server_is_told_and_linked_again(engine):
    def run(program):
        command = [sys.executable, "-c", program]
        return subprocess.run(
            command, env=engine.environment, capture_output=True, text=True, check=True
        ).stdout

    def says(word, reason):
        said = client.call("health")
        return said["health"] == word and any(reason in r for r in said["reasons"])

    with engine.connect() as client:
        before = run(UNLINK)
        assert "playback_2" in before
        until(lambda: says("failing", 'out_1: no link to "system"'), "a word of it")
        until(lambda: says("degraded", "linked again"), "the link")
        assert run(LINKS) == before

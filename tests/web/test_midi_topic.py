"""The topic ``midi`` and learning over the channel, without a controller."""

import pytest
from channel_peer import Place
from engine_process import show
from osc_client import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place():
    port = free_port()
    with show({}, "none", f"[web]\nport = {port}\n", "--web") as engine:
        yield Place(port, engine.runtime / "data" / "sfa")
        assert "Traceback" not in engine.log("web"), engine.log("web")


def test_it_is_for_those_who_perform(place):
    with place.open(place.token(place.user("eve", "user"))) as peer:
        peer.join("midi")
        assert peer.event("midi")["data"]["code"] == "forbidden"
        assert peer.call("midi.learn", path="deck1.fader")["error"]["code"] == "forbidden"


def test_learning_says_what_is_missing_and_a_cancel_of_nothing_does_no_harm(place):
    with place.open(place.token(place.user("mo", "moderator"))) as peer:
        peer.join("midi")
        assert peer.event("midi")["event"] == "state"
        peer.send(cancel=99)
        found = peer.call("midi.learn", path="deck1.fader")["error"]
        assert found["code"] == "refused"
        found = peer.call("midi.learn", number=2, path="deck1.level")["error"]
        assert "can only be read" in found["message"]
        peer.send(leave="midi")
        peer.pong()

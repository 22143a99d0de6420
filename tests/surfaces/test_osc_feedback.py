"""What a subscriber is told, and when, without a network and without a clock."""

import pytest
from pythonosc.osc_packet import OscPacket

from sfa_engine.desk import CONTROLS
from sfa_engine.surfaces.osc.address import TRAVEL_SENDERS, UNIT_SENDERS
from sfa_engine.surfaces.osc.feedback import TOUCH_GUARD_S, Feedback
from sfa_engine.surfaces.osc.peer import EXPIRY_S, MAX_PEERS, Peer, Peers

TICK_S = 1 / 30


class Values:
    """A desk at rest that somebody moves."""

    def __init__(self):
        self.values = {
            path: "" if control.kind == "text" else control.scale.rest
            for path, control in CONTROLS.items()
            if path in UNIT_SENDERS
        }
        self.now_s = 100.0

    def get(self, path):
        return self.values[path]

    def take(self, feedback, ticks=1):
        """Return what is told over some ticks: addresses with their last values."""
        told = []
        for _ in range(ticks):
            self.now_s += TICK_S
            for datagram in feedback.take(self.now_s, {}):
                assert len(datagram) <= 1400
                told += [(m.message.address, *m.message) for m in OscPacket(datagram).messages]
        return told


@pytest.fixture
def desk():
    return Values()


@pytest.fixture
def settled(desk):
    """Feedback whose peer has heard everything."""
    feedback = Feedback(desk.get)
    desk.take(feedback, 30)
    assert desk.take(feedback) == []
    return feedback


def test_all_values_are_sent_at_first_and_no_tick_floods(desk):
    feedback = Feedback(desk.get)
    told, most = [], 0
    for _ in range(30):
        new = desk.take(feedback)
        most = max(most, len(new))
        told += new
    addresses = [each[0] for each in told]
    set_paths = {p for p in TRAVEL_SENDERS if TRAVEL_SENDERS[p].message(desk.get(p))}
    wanted = {s.address for s in UNIT_SENDERS.values()}
    wanted |= {TRAVEL_SENDERS[p].address for p in set_paths}
    assert set(addresses) == wanted
    assert len(addresses) == len(set(addresses))
    assert most <= 240


@pytest.mark.parametrize(("form", "told"), [
    ("unit", ["/crossfader"]), ("travel", ["/n/crossfader"]),
    ("both", ["/crossfader", "/n/crossfader"]),
])  # fmt: skip
def test_a_peer_gets_the_requested_form(desk, form, told):
    feedback = Feedback(desk.get, form=form)
    desk.take(feedback, 30)
    desk.values["crossfader"] = 50.0
    feedback.changed("crossfader")
    assert [each[0] for each in desk.take(feedback)] == told


def test_only_the_newest_value_is_sent_once(desk, settled):
    for value in range(100):
        desk.values["crossfader"] = float(value)
        settled.changed("crossfader")
    assert desk.take(settled, 3) == [("/crossfader", 99.0), ("/n/crossfader", pytest.approx(0.995))]


def test_a_control_under_a_finger_is_sent_when_it_rests(desk, settled):
    settled.touch("crossfader", desk.now_s)
    desk.values["crossfader"] = -7.0  # another peer's
    settled.changed("crossfader")
    began_s = desk.now_s
    while not (told := desk.take(settled)):
        assert desk.now_s - began_s < 1.0
    assert told[0] == ("/crossfader", -7.0)
    assert desk.now_s - began_s >= TOUCH_GUARD_S


def test_a_peer_does_not_get_its_own_changes(desk, settled):
    settled.changed("crossfader")
    settled.knows("crossfader")
    assert desk.take(settled, 20) == []


def test_changes_come_before_the_rest_of_a_full_dump(desk, settled):
    settled.resync()
    settled.changed("session.shift")
    assert desk.take(settled)[0][0] == "/session/shift"


def test_nothing_is_sent_more_often_than_the_peers_rate(desk):
    feedback = Feedback(desk.get, rate_hz=5.0)
    desk.take(feedback, 300)
    told = 0
    for _ in range(90):  # three seconds
        feedback.changed("crossfader")
        told += bool(desk.take(feedback))
    assert 13 <= told <= 16


def test_a_meter_is_sent_when_it_changes_visibly(desk, settled):
    def told(level):
        desk.now_s += 1.0
        found = settled.take(desk.now_s, {"master.level": level})
        return [m.message.address for d in found for m in OscPacket(d).messages]

    assert told(-10.0) == ["/master/level", "/n/master/level"]
    assert told(-10.04) == []
    assert told(-10.2) == ["/master/level", "/n/master/level"]


def test_addresses_of_the_focused_deck_follow_the_focus(desk, settled):
    settled.include_aliases()
    told = dict(each for each in desk.take(settled) if each[0].startswith("/stem"))
    assert told["/stem/1/volume"] == pytest.approx(
        CONTROLS["deck1.stem.vocals.volume"].scale.travel(0.0)
    )
    desk.values["deck2.stem.bass.mute"] = 1.0
    desk.values["session.focus"] = 1.0
    settled.changed("session.focus")
    told = dict(each for each in desk.take(settled) if each[0].startswith("/stem"))
    assert told["/stem/3/mute"] == 1


# ---------------------------------------------------------------- peers


def test_a_host_whose_tablet_subscribed_is_one_peer():
    peers = Peers()
    tablet = peers.add(("10.0.0.2", 50_000), lambda *_: True)
    tablet.feedback = Feedback(Values().get)
    assert peers.add(("10.0.0.2", 50_001), lambda *_: True) is tablet
    assert peers.add(("10.0.0.3", 50_001), lambda *_: True) is not tablet
    for port in range(2000):
        peers.add(("10.0.0.2", port), lambda *_: True)
    assert len(peers._by_address) <= 4 * MAX_PEERS
    assert peers.at(("10.0.0.2", 50_000)) is tablet


def test_on_this_machine_each_port_is_a_peer():
    peers = Peers()
    one = peers.add(("127.0.0.1", 1), lambda *_: True)
    one.feedback = Feedback(Values().get)
    assert peers.add(("127.0.0.1", 2), lambda *_: True) is not one


def test_many_peers_push_out_the_one_that_was_silent_longest():
    peers = Peers()
    fixed = peers.add(("10.0.0.1", 9000), lambda *_: True, is_fixed=True)
    for number in range(5 * MAX_PEERS):
        peers.add(("127.0.0.1", number), lambda *_: True).last_received_s = float(number)
    kept = list(peers)
    assert len(kept) == MAX_PEERS
    assert fixed in kept
    assert min(p.last_received_s for p in kept if p is not fixed) > 3 * MAX_PEERS


def test_errors_are_not_answered_as_fast_as_they_come():
    peer = Peer(1, ("10.0.0.1", 1), lambda *_: True)
    answered = sum(peer.may_be_answered(k / 1000) for k in range(10_000))  # ten seconds
    assert 60 <= answered <= 80
    assert EXPIRY_S == 60.0

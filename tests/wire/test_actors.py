"""The actor in a request's envelope: who may name one, and what is refused."""

import os
import subprocess
import tempfile
from pathlib import Path

import msgspec
import pytest
from shells import Running, read_events

from sfa_engine.errors import Forbidden, Refused
from sfa_engine.wire import frames
from sfa_engine.wire.stream import REQUEST

ANN = {"account": 7, "name": "ann", "role": "moderator", "address": "192.168.7.9"}
ALL = ["admin", "library", "perform", "prepare", "propose", "read"]
STRANGER = 65_534  # a user id that is not ours


@pytest.fixture(params=["trio", "asyncio"])
def running(tmp_path, request):
    with Running(tmp_path / "socket", request.param) as server:
        yield server


def ask(server, *requests):
    """Send requests as lists; return the answers."""
    with server.raw() as line:
        line.sendall(b"".join(map(frames.pack, requests)))
        return read_events(line, len(requests))


def result(answer):
    assert answer.error is None
    return msgspec.msgpack.decode(answer.result)


def test_a_verb_learns_for_whom_a_request_is(running):
    named, plain = ask(running, [REQUEST, 1, "actor", {}, ANN], [REQUEST, 2, "actor", {}])
    assert result(named) == {**ANN, "scopes": ALL}
    assert result(plain) == {
        "account": 0, "name": "system", "role": "system", "address": "", "scopes": ALL,
    }  # fmt: skip


def test_an_actor_has_the_scopes_of_its_connection(running):
    hello = {"name": "test", "protocol": 1, "scopes": ["read"]}
    answers = ask(running, [REQUEST, 0, "hello", hello], [REQUEST, 1, "actor", {}, ANN])
    assert result(answers[1])["scopes"] == ["read"]


def test_params_cannot_name_the_actor(running):
    (answer,) = ask(running, [REQUEST, 1, "actor", {"actor": ANN}])
    assert isinstance(answer.error, Refused)
    assert answer.error.message == 'actor takes no "actor"'


@pytest.mark.parametrize(
    ("actor", "said"),
    [
        ({**ANN, "role": "king"}, "the actor of a request is invalid: Invalid enum value 'king'"),
        ({**ANN, "account": -1}, "the actor of a request is invalid: Expected `int` >= 0"),
        ({**ANN, "account": "7"}, "the actor of a request is invalid: Expected `int`, got `str`"),
        ({"account": 7}, "the actor of a request is invalid: Object missing required field"),
        ([7, "ann"], "the actor of a request is invalid: Expected `object`, got `array`"),
        (None, "the actor of a request is invalid: Expected `object`, got `None`"),
        ({**ANN, "role": "system"}, "account 7 has the role system"),
        ({**ANN, "account": 0}, "account 0 has the role moderator"),
    ],
)
def test_what_is_no_actor_is_refused_and_the_connection_goes_on(running, actor, said):
    wrong, right = ask(running, [REQUEST, 1, "actor", {}, actor], [REQUEST, 2, "actor", {}, ANN])
    assert wrong.id == 1
    assert wrong.error.message.startswith(said)
    assert result(right)["account"] == 7


def test_six_parts_are_no_request(running):
    (answer,) = ask(running, [REQUEST, 1, "actor", {}, ANN, ANN])
    assert isinstance(answer.error, Refused)


def test_a_server_that_does_not_look_at_its_peer_takes_no_actor(tmp_path):
    with Running(tmp_path / "socket", "blocking") as server:
        named, plain = ask(server, [REQUEST, 1, "actor", {}, ANN], [REQUEST, 2, "actor", {}])
    assert isinstance(named.error, Forbidden)
    assert result(plain)["role"] == "system"


PROGRAM = """
import socket, sys
line = socket.socket(socket.AF_UNIX)
line.settimeout(20)
line.connect(sys.argv[1])
line.sendall(bytes.fromhex(sys.argv[2]))
print(line.recv(65536).hex())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs a program as another user")
@pytest.mark.parametrize("shell", ["trio", "asyncio"])
def test_another_user_of_the_machine_names_no_actor(shell):
    with tempfile.TemporaryDirectory(prefix="sfa-a-") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "socket"
        with Running(path, shell) as server:
            path.chmod(0o666)
            said = [
                subprocess.run(
                    ["/usr/bin/python3", "-c", PROGRAM, str(server.path), frames.pack(one).hex()],
                    user=STRANGER,
                    capture_output=True,
                    text=True,
                    check=True,
                    timeout=60,
                ).stdout
                for one in ([REQUEST, 1, "actor", {}, ANN], [REQUEST, 2, "actor", {}])
            ]
    named, plain = (msgspec.msgpack.decode(bytes.fromhex(each)[4:]) for each in said)
    assert named[2]["code"] == "forbidden"
    assert plain[3]["role"] == "system"

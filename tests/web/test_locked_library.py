"""The session's lock over real HTTP: what could ruin a set is refused with 409, unless forced."""

from __future__ import annotations

import threading
import time

import pytest
from house import song
from shop import open_shop

from sfa_engine.system.runtime_files import ENGINE_SOCKET
from sfa_engine.system.unix_socket import listen_unix
from sfa_engine.wire import blocking
from sfa_engine.wire.session import Session
from sfa_engine.wire.verbs import exported, verb

pytestmark = pytest.mark.slow
TIMEOUT_S = 60.0


class Stage:
    """A stage on which a set is played."""

    @verb(scope="read")
    def watch(self, paths: list[str], rate_hz: float) -> dict[str, object]:  # noqa: ARG002
        """Say that the session is locked."""
        return {"values": {"session.locked": True}}

    @verb(scope="read")
    def get(self, path: str) -> dict[str, object]:  # noqa: ARG002
        """Say so."""
        return {"value": True}

    @verb(scope="read")
    def describe(self, planned: bool = True) -> dict[str, object]:  # noqa: ARG002
        """Describe nothing."""
        return {"verbs": []}


def attend(listener):
    while True:
        try:
            line, _ = listener.accept()
        except OSError:  # the test has ended
            return
        session = Session("the stage", "1", exported(Stage()))
        threading.Thread(target=blocking.serve, args=(line, session), daemon=True).start()


def refused(answer):
    return (answer.status_code, answer.json().get("code")) == (409, "locked")


def test_a_locked_session_refuses_removals_and_assignments(tmp_path):
    with (
        open_shop(tmp_path) as shop,
        listen_unix(shop.house.runtime / ENGINE_SOCKET, 16) as listener,
    ):
        threading.Thread(target=attend, args=(listener,), daemon=True).start()
        track, _ = shop.prepare("user", song(tmp_path / "song.wav", seconds=2.0))
        shop.wait_idle()
        give_up = time.monotonic() + TIMEOUT_S
        while not refused(shop.ask("user", "library.remove", {"track": track})):
            assert time.monotonic() < give_up
            shop.ask("user", "library.restore", {"track": track})
            time.sleep(0.2)
        number = shop.numbers["eve"]
        for verb_name, params in (
            ("library.delete", {"words": "song"}),
            ("library.assign", {"words": "song", "account": number}),
            ("library.empty_trash", {}),
        ):
            assert refused(shop.ask("admin", verb_name, params)), verb_name
        for verb_name, params in (
            ("library.delete", {"words": "song", "dry_run": True}),
            ("library.assign", {"words": "song", "account": number, "dry_run": True}),
            ("library.show", {"track": track}),
        ):
            assert shop.ask("admin", verb_name, params).status_code == 200
        forced = shop.ask("user", "library.remove", {"track": track, "force": True})
        assert forced.status_code == 403  # force is for admins
        assert (
            shop.ask(
                "admin", "library.assign", {"words": "song", "account": number, "force": True}
            ).json()["items"][0]["track"]
            == track
        )
        gone = shop.ask("admin", "library.delete", {"words": "song", "force": True})
        assert gone.json()["items"][0]["error"] is None
        assert shop.ask("eve", "library.trash").json()["count"] == 1
        listener.shutdown(2)

"""A hot cue that is stored or cleared is saved: through loads, restarts, and deaths of others."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_process import Show, until
from msgspec.structs import replace

from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Op, Ring
from sfa_engine.engine.ring import CommandWriter
from sfa_engine.errors import EngineError, Refused
from sfa_engine.library.bundle import rewrite_manifest, write_bundle_arrays
from sfa_engine.library.database import BUSY_TIMEOUT_S
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.track.media import Cue, read_bundle
from sfa_engine.wire import frames
from sfa_engine.wire.connection import Connection
from sfa_engine.wire.stream import REQUEST

pytestmark = pytest.mark.slow

RATE = 48_000


@pytest.fixture
def bundle(silent_engine: Show) -> Path:
    """A track in the folder of the engine's own library, of which the library has no row."""
    sound = (np.random.default_rng(1).standard_normal((20 * RATE, 2)) * 0.1).astype(np.float32)
    folder = silent_engine.runtime / "data" / "sfa" / "tracks"
    folder.mkdir(parents=True, exist_ok=True)
    return write_bundle_arrays(
        folder / "Us - Quiet.sfa", {"mix": sound}, title="Quiet", artist="Us", bpm=120.0
    )


@pytest.fixture
def engine(silent_engine: Show) -> Iterator[Show]:
    until((silent_engine.runtime / "backstage.sock").exists, "backstage")
    return silent_engine


def pid_of(engine: Show, name: str) -> int:
    return lock_holder(engine.runtime / f"{name}.lock")


def store(engine: Show, number: int, place_s: float) -> None:
    with engine.connect() as client:
        client.call("set", path="deck1.position", value=place_s, wait=True)
        client.call("press", path=f"deck1.hotcue{number}.store")


def saved(engine: Show) -> dict[int, float]:
    """Return the hot cues that the library has of the track; none without a library."""
    try:
        with engine.connect() as client:
            said = client.call("library.show", track="quiet")
    except (EngineError, Refused):
        return {}
    return {cue["slot"]: cue["position_s"] for cue in said["cues"] if cue["slot"]}


@contextmanager
def another_writing(engine: Show) -> Iterator[None]:
    """Hold the library, so that it takes nothing meanwhile."""
    path = engine.runtime / "data" / "sfa" / "library.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def until_saved(engine: Show, wanted: dict[int, float]) -> None:
    until(lambda: saved(engine) == pytest.approx(wanted, abs=0.02), f"hot cues {wanted}")


def load(engine: Show, **what: Any) -> dict[str, Any]:
    with engine.connect() as client:
        said: dict[str, Any] = client.call("deck.load", deck=1, **what)
    return said


def hot_cue(engine: Show, number: int) -> float | None:
    with engine.connect() as client:
        value: float | None = client.call("get", path=f"deck1.hotcue{number}.position")["value"]
        return value


def test_cues_of_the_library_come_to_the_deck_that_has_the_track_and_leave_what_is_newer(
    engine: Show, bundle: Path
) -> None:
    load(engine, path=str(bundle))
    store(engine, 1, 5.0)
    until_saved(engine, {1: 5.0})
    with engine.connect() as client:
        client.call("set", path="deck1.play", value=True, wait=True)
        client.call("library.cue", track="quiet", position_s=7.0, hot_cue=2, label="from afar")
        until(lambda: hot_cue(engine, 2) == pytest.approx(7.0, abs=0.001), "the cue from afar")
        assert hot_cue(engine, 1) == pytest.approx(5.0, abs=0.02)
        number = {
            cue["slot"]: cue["id"] for cue in client.call("library.show", track="quiet")["cues"]
        }
        client.call("library.delete_cue", cue=number[2])
        until(lambda: hot_cue(engine, 2) is None, "the cue to go")
        client.call("set", path="deck1.play", value=False, wait=True)
    store(engine, 3, 9.0)
    until_saved(engine, {1: 5.0, 3: 9.0})  # what came from the library was not sent back


def test_a_hot_cue_is_in_the_library_and_there_again_when_the_track_is_loaded(
    engine: Show, bundle: Path
) -> None:
    load(engine, path=str(bundle))
    store(engine, 3, 4.0)
    until_saved(engine, {3: 4.0})
    load(engine, track="quiet")
    assert hot_cue(engine, 3) == pytest.approx(4.0, abs=0.02)
    assert hot_cue(engine, 4) is None
    with engine.connect() as client:
        client.call("press", path="deck1.hotcue3.clear")
    until_saved(engine, {})


def test_loading_another_track_clears_nothing_in_the_library(engine: Show, bundle: Path) -> None:
    other = write_bundle_arrays(
        bundle.with_name("Us - Other.sfa"),
        {"mix": np.zeros((RATE * 5, 2), np.float32)},
        title="Other",
        artist="Us",
        bpm=None,
    )
    load(engine, path=str(bundle))
    store(engine, 1, 2.0)
    until_saved(engine, {1: 2.0})
    for _ in range(3):
        load(engine, path=str(other))
        load(engine, path=str(bundle))
    with engine.connect() as client:
        client.call("deck.eject", deck=1)
    cue_of_other = {"bundle": str(other), "hotcues": {"8": 1.0}}
    with engine.connect() as client:
        client.call("library.save_hotcues", **cue_of_other)  # after all that came before it
    assert saved(engine) == pytest.approx({1: 2.0}, abs=0.02)


@pytest.fixture
def cued(engine: Show, bundle: Path) -> tuple[Path, Path]:
    """Two tracks with a hot cue each, the first on deck 1."""
    other = bundle.with_name("Us - Other.sfa")
    shutil.copytree(bundle, other)
    for path, place_s in ((other, 3.0), (bundle, 2.0)):
        load(engine, path=str(path))
        store(engine, 1, place_s)
        until(lambda p=path: hot_cues_in(p) == pytest.approx({1: 3.0 if p == other else 2.0}), "it")
    return bundle, other


def hot_cues_in(bundle: Path) -> dict[int, float]:
    return {
        cue.hot_cue: round(cue.position_frames / RATE, 1)
        for cue in read_bundle(bundle).track.cues
        if cue.hot_cue
    }


def test_loads_and_ejects_of_two_clients_at_once_clear_no_hot_cues(
    engine: Show, cued: tuple[Path, Path]
) -> None:
    def load_often() -> None:
        for count in range(12):
            try:
                load(engine, path=str(cued[count % 2]))
            except Refused as error:  # an eject that was requested later was quicker
                if "by a later request" not in error.message:
                    raise

    def eject_often() -> None:
        with engine.connect() as client:
            for _ in range(40):
                client.call("deck.eject", deck=1)

    with ThreadPoolExecutor(2) as both:
        for task in [both.submit(load_often), both.submit(eject_often)]:
            task.result()
    for path, place_s in zip(cued, (2.0, 3.0), strict=True):
        load(engine, path=str(path))
        assert hot_cue(engine, 1) == pytest.approx(place_s, abs=0.1)
    store(engine, 2, 9.0)
    until(lambda: hot_cues_in(cued[1]) == {1: 3.0, 2: 9.0}, "what comes after all the others")
    assert hot_cues_in(cued[0]) == {1: 2.0}


def test_whoever_watches_ends_with_the_hot_cues_of_the_track_that_came(
    engine: Show, cued: tuple[Path, Path]
) -> None:
    place = "deck1.hotcue1.position"
    with engine.connect() as watcher:
        seen = watcher.call("watch", paths=[place, "crossfader"], rate_hz=100)["values"]
        news = watcher.notifications()
        for count in range(16):
            path, place_s = ((cued[1], 3.0), (cued[0], 2.0))[count % 2]
            load(engine, path=str(path))
            time.sleep(0.03)
            with engine.connect() as client:  # which is told after all that came before
                client.call("set", path="crossfader", value=float(count + 1), wait=True)
            while seen["crossfader"] != count + 1:
                seen |= next(news)[1]["values"]
            assert seen[place] == pytest.approx(place_s, abs=0.1)


def test_a_deck_is_loaded_and_ejected_in_the_order_of_requests(
    engine: Show, cued: tuple[Path, Path]
) -> None:
    requests = [
        ["deck.load", {"deck": 1, "track": "quiet"}],
        ["deck.load", {"deck": 1, "path": str(cued[1])}],
        ["deck.load", {"deck": 1, "track": "quiet"}],
        ["deck.eject", {"deck": 1}],
    ]
    for some in (requests[:2], requests):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(engine.runtime / "engine.sock"))
            for number, request in enumerate(some):
                client.sendall(frames.pack([REQUEST, number, *request]))
            reader, answers = Connection(), 0
            while answers < len(some):
                reader.receive_data(client.recv(65_536))
                while reader.next_event() is not None:
                    answers += 1
        with engine.connect() as connected:
            deck = connected.call("status")["decks"][0]
        assert deck.get("path") == (str(cued[1]) if some != requests else None)


def test_a_cue_that_waits_for_the_library_is_on_the_deck_when_the_track_comes_again(
    engine: Show, bundle: Path
) -> None:
    load(engine, path=str(bundle))
    store(engine, 1, 3.0)
    until_saved(engine, {1: 3.0})
    with another_writing(engine):
        store(engine, 1, 5.0)
        store(engine, 2, 6.0)
        load(engine, path=str(bundle))
        assert hot_cue(engine, 1) == pytest.approx(5.0, abs=0.02)
        assert hot_cue(engine, 2) == pytest.approx(6.0, abs=0.02)
    until_saved(engine, {1: 5.0, 2: 6.0})


def test_a_host_that_is_started_again_brings_no_cleared_cue_back(
    engine: Show, bundle: Path, tmp_path: Path
) -> None:
    load(engine, path=str(bundle))
    store(engine, 5, 1.0)
    until_saved(engine, {5: 1.0})
    sound = np.zeros((20 * RATE, 2), np.float32)
    # Of the same folder's name, elsewhere: the library knows nothing of it.
    path = write_bundle_arrays(
        tmp_path / bundle.name, {"mix": sound}, title="X", artist="", bpm=120.0
    )
    track = read_bundle(path).track
    cues = (Cue(RATE, "one", "cue", hot_cue=1), Cue(2 * RATE, "two", "cue", hot_cue=2))
    rewrite_manifest(path, replace(track, cues=cues))
    load(engine, path=str(path))
    assert hot_cue(engine, 1) == pytest.approx(1.0, abs=0.01)
    with engine.connect() as client:
        client.call("press", path="deck1.hotcue1.clear")
    pending = engine.runtime / "data" / "sfa" / "hotcues-pending.json"
    for name in ("host", "host", "stage", "host"):
        pid = pid_of(engine, name)
        os.kill(pid, signal.SIGKILL)
        until(lambda n=name, p=pid: pid_of(engine, n) != p, "the next one")
        until(engine.answers, "the engine")
        until(lambda: not pending.exists(), "what the library does not take")
        # A change of the library's track of that name has the stage look at the bundle on the deck.
        rewrite_manifest(path, replace(track, cues=cues, title=f"After {pid}"))

        def shows_title(title: str) -> bool:
            with engine.connect() as client:
                client.call("library.edit", track="quiet", values={"comment": title})
                return client.call("status")["decks"][0].get("title") == title

        until(lambda t=f"After {pid}": shows_title(t), "the stage to look")
        assert hot_cue(engine, 1) is None
        assert hot_cue(engine, 2) == pytest.approx(2.0, abs=0.01)
        assert hot_cue(engine, 5) is None


@contextmanager
def nobody_restarts(engine: Show, name: str) -> Iterator[None]:
    """Kill a process, and let nobody start it again meanwhile."""
    os.kill(engine.parent.pid, signal.SIGSTOP)
    try:
        os.kill(pid_of(engine, name), signal.SIGKILL)
        yield
    finally:
        os.kill(engine.parent.pid, signal.SIGCONT)


def test_hot_cues_stored_and_cleared_while_no_stage_runs_are_saved_by_the_next(
    engine: Show, bundle: Path
) -> None:
    load(engine, path=str(bundle))
    store(engine, 1, 2.0)
    store(engine, 2, 3.0)
    until_saved(engine, {1: 2.0, 2: 3.0})
    with nobody_restarts(engine, "stage"):
        memory = engine.memory()
        pads = CommandWriter(memory, Ring.MIDI)
        pads.write(Op["HOTCUE_STORE"], 0, 6, 0.0, 1001)
        pads.write(Op["HOTCUE_CLEAR"], 0, 0, 0.0, 1001)
        until(lambda: memory.value("deck1.hotcue1.position") == NOT_SET, "the kernel to clear it")
        assert memory.value("deck1.hotcue7.position") == pytest.approx(3.0, abs=0.02)
    until(engine.answers, "the next stage")
    until_saved(engine, {2: 3.0, 7: 3.0})
    assert hot_cue(engine, 1) is None
    assert hot_cue(engine, 7) == pytest.approx(3.0, abs=0.02)


def test_a_hot_cue_cleared_while_backstage_is_dead_is_cleared_in_the_library_when_it_is_back(
    engine: Show, bundle: Path
) -> None:
    load(engine, path=str(bundle))
    store(engine, 1, 2.0)
    store(engine, 2, 3.0)
    until_saved(engine, {1: 2.0, 2: 3.0})
    pending = engine.runtime / "data" / "sfa" / "hotcues-pending.json"
    until(lambda: not pending.exists(), "nothing to be pending")
    with nobody_restarts(engine, "backstage"):
        with engine.connect() as client:
            client.call("press", path="deck1.hotcue1.clear")
        until(pending.exists, "the clear on the disk")
        load(engine, path=str(bundle))  # whose description has it still
        assert hot_cue(engine, 1) is None
        assert hot_cue(engine, 2) == pytest.approx(3.0, abs=0.02)
    until_saved(engine, {2: 3.0})
    assert hot_cue(engine, 1) is None


def test_a_track_that_is_loaded_again_at_once_has_its_newest_hot_cues(
    engine: Show, bundle: Path
) -> None:
    load(engine, path=str(bundle))
    for place_s in range(1, 13):
        store(engine, 1, place_s)
        load(engine, path=str(bundle))
        assert hot_cue(engine, 1) == pytest.approx(place_s, abs=0.02)
        with engine.connect() as client:
            client.call("press", path="deck1.hotcue1.clear")
        load(engine, path=str(bundle))
        assert hot_cue(engine, 1) is None


def test_what_was_edited_while_backstage_was_away_is_on_the_deck_when_it_is_back(
    engine: Show, bundle: Path
) -> None:
    load(engine, path=str(bundle))
    store(engine, 1, 2.0)
    until_saved(engine, {1: 2.0})
    path = engine.runtime / "data" / "sfa" / "library.db"
    # A stage that has not heard that it was saved saves it again, over the edit.
    pending = engine.runtime / "data" / "sfa" / "hotcues-pending.json"
    until(lambda: not pending.exists(), "nothing to be pending")
    with nobody_restarts(engine, "backstage"), closing(sqlite3.connect(path)) as library:
        library.execute("UPDATE cues SET position_s = 7.0 WHERE slot = 1")
        library.commit()
    until(lambda: hot_cue(engine, 1) == pytest.approx(7.0, abs=0.02), "the edit")


@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize(
    "later_s", [0.004, *(pytest.param(s, marks=pytest.mark.nightly) for s in (0.0, 0.01))]
)
def test_a_load_whose_client_or_stage_goes_away_clears_no_hot_cue_and_sets_those_of_the_track(
    engine: Show, cued: tuple[Path, Path], later_s: float, *, dies: bool
) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(engine.runtime / "engine.sock"))
        request = [REQUEST, 1, "deck.load", {"deck": 1, "path": str(cued[1])}]
        client.sendall(frames.pack(request))
        time.sleep(later_s)
        if dies:
            os.kill(pid_of(engine, "stage"), signal.SIGKILL)
    until(engine.answers, "the stage")

    def is_whole() -> bool:
        with engine.connect() as client:
            path = client.call("status")["decks"][0]["path"]
        return hot_cue(engine, 1) == pytest.approx(2.0 if path == str(cued[0]) else 3.0, abs=0.1)

    until(is_whole, "the cue of the track that is on the deck")
    store(engine, 2, 9.0)
    # The load may be done before, after, or never.
    until(lambda: any(2 in hot_cues_in(path) for path in cued), "what comes after all the others")
    assert [hot_cues_in(path)[1] for path in cued] == [2.0, 3.0]


def test_a_hot_cue_stored_while_backstage_is_dead_is_saved_when_it_is_back(
    engine: Show, bundle: Path
) -> None:
    load(engine, path=str(bundle))
    os.kill(pid_of(engine, "backstage"), signal.SIGKILL)
    store(engine, 2, 3.0)
    until_saved(engine, {2: 3.0})
    pending = engine.runtime / "data" / "sfa" / "hotcues-pending.json"
    until(lambda: not pending.exists(), "nothing to be pending")


def test_a_hot_cue_outlives_stage_and_backstage_dying_at_once(engine: Show, bundle: Path) -> None:
    load(engine, path=str(bundle))
    store(engine, 5, 6.0)
    for name in ("stage", "backstage"):
        os.kill(pid_of(engine, name), signal.SIGKILL)
    until(engine.answers, "the stage")
    until_saved(engine, {5: 6.0})
    assert hot_cue(engine, 5) == pytest.approx(6.0, abs=0.02)


def test_a_hot_cue_that_the_library_cannot_take_just_now_is_kept_until_it_can(
    engine: Show, bundle: Path
) -> None:
    load(engine, path=str(bundle))
    store(engine, 1, 1.0)
    until_saved(engine, {1: 1.0})
    with another_writing(engine):
        store(engine, 2, 2.0)
        time.sleep(BUSY_TIMEOUT_S + 1.0)  # it gives up
    until_saved(engine, {1: 1.0, 2: 2.0})


def test_a_pending_file_that_is_damaged_is_put_aside(engine: Show, bundle: Path) -> None:
    pending = engine.runtime / "data" / "sfa" / "hotcues-pending.json"
    pending.write_text("{ no json")
    os.kill(pid_of(engine, "stage"), signal.SIGKILL)
    until(lambda: pending.with_suffix(".damaged").exists(), "the stage")
    until(engine.answers, "the stage")
    load(engine, path=str(bundle))
    store(engine, 1, 1.0)
    until_saved(engine, {1: 1.0})


def test_words_that_mean_no_track_are_refused_and_the_deck_stays(
    engine: Show, bundle: Path
) -> None:
    load(engine, path=str(bundle))
    with pytest.raises(Refused, match="no track"):
        load(engine, track="something else entirely")
    with pytest.raises(Refused, match="path and track"):
        load(engine)
    with engine.connect() as client:
        assert client.call("status")["decks"][0]["title"] == "Quiet"


def test_without_backstage_its_verbs_say_so_and_the_rest_works(engine: Show, bundle: Path) -> None:
    engine.stop()
    engine.start("--no-backstage")
    with engine.connect() as client:
        with pytest.raises(EngineError, match="backstage is not running"):
            client.call("library.search")
        with pytest.raises(EngineError, match="backstage is not running"):
            client.call("deck.load", deck=1, track="quiet")
        assert client.call("deck.load", deck=1, path=str(bundle))["title"] == "Quiet"
    store(engine, 1, 1.0)
    assert hot_cue(engine, 1) == pytest.approx(1.0, abs=0.02)


def test_a_client_of_the_stage_sees_the_jobs_of_backstage(engine: Show, tmp_path: Path) -> None:
    text = tmp_path / "no music.wav"
    text.write_text("no music")
    with engine.connect() as client:
        client.call("jobs.watch")
        said = client.call("prep.add", sources=[str(text)])
        for method, event in client.notifications():
            assert method == "job"
            if event["state"] == "failed":
                break
        assert event["job"] == said["jobs"][0]
        assert client.call("jobs.list")["counts"]["failed"] == 1
        with pytest.raises(Refused, match="no job 99"):
            client.call("jobs.show", job=99)


def test_requests_under_way_are_answered_when_backstage_dies(engine: Show) -> None:
    with engine.connect() as client:
        client.call("jobs.list")
        os.kill(pid_of(engine, "backstage"), signal.SIGKILL)
        until(lambda: _again(client), "backstage")


def _again(client: Any) -> bool:
    try:
        client.call("jobs.list")
    except EngineError:
        return False
    return True

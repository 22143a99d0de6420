"""An engine with a track of noise on a deck, in processes of its own, and the calls to it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_process import Show, until

from sfa_engine.errors import EngineError
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.system.process_lock import lock_holder

RATE = 48_000


@pytest.fixture
def quiet_engine(silent_engine: Show) -> Show:
    """An engine with a track of 40 s at 120 BPM on deck 1."""
    until((silent_engine.runtime / "backstage.sock").exists, "backstage")
    sound = (np.random.default_rng(1).standard_normal((40 * RATE, 2)) * 0.1).astype(np.float32)
    folder = silent_engine.runtime / "data" / "sfa" / "tracks"
    folder.mkdir(parents=True, exist_ok=True)
    bundle = write_bundle_arrays(
        folder / "Us - Quiet.sfa", {"mix": sound}, title="Quiet", artist="Us", bpm=120.0
    )
    call(silent_engine, "deck.load", deck=1, path=str(bundle))
    return silent_engine


def bundle_of(engine: Show) -> Path:
    return engine.runtime / "data" / "sfa" / "tracks" / "Us - Quiet.sfa"


def call(engine: Show, verb: str, **params: Any) -> Any:
    with engine.connect() as client:
        return client.call(verb, **params)


def get(engine: Show, path: str) -> Any:
    return call(engine, "get", path=f"deck1.{path}")["value"]


def put(engine: Show, path: str, value: Any) -> None:
    call(engine, "set", path=f"deck1.{path}", value=value, wait=path == "position")


def press(engine: Show, path: str, value: Any = None) -> None:
    call(engine, "press", path=f"deck1.{path}", value=value)


def kill(engine: Show, name: str) -> int:
    pid = lock_holder(engine.runtime / f"{name}.lock")
    os.kill(pid, signal.SIGKILL)
    return pid


def another(engine: Show, name: str, pid: int) -> None:
    """Wait until another process has taken the place of one that was killed."""
    until(lambda: lock_holder(engine.runtime / f"{name}.lock") not in {0, pid}, f"a new {name}")
    until(lambda: answers(engine), "an answer")


def answers(engine: Show) -> bool:
    try:
        call(engine, "health")
    except EngineError:
        return False
    return True

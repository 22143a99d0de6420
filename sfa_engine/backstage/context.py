"""What every step needs: library, queue, executors and paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.backstage.dispatcher import Progress
from sfa_engine.backstage.executor import Executor
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.niceness import Niceness
from sfa_engine.backstage.queue import Queue
from sfa_engine.backstage.runner import WorkerRequest
from sfa_engine.backstage.session import Session
from sfa_engine.backstage.settings import Settings
from sfa_engine.library import manifest, tracks
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places

TrackListener = Callable[[int, str], None]  # number of a track, name of its bundle


@dataclass(frozen=True)
class PrepContext:
    """What every step needs.

    Parameters
    ----------
    settings : Settings
    places : Places
    database : Database
    queue : Queue
    executor : Executor
        Of separation and analysis.
    local : Executor
        Of work that has to run on this machine.
    niceness : Niceness
        Knows whether a deck is playing.
    session : Session
        Knows whether the session is locked.
    track_listeners : list
        Called when cues, grid or names of a track that has a bundle have changed, or when it is
        removed (the bundle is empty then) or restored.
    """

    settings: Settings
    places: Places
    database: Database
    queue: Queue
    executor: Executor
    local: Executor
    niceness: Niceness = field(default_factory=Niceness)
    session: Session = field(default_factory=Session)
    track_listeners: list[TrackListener] = field(default_factory=list)

    async def run_local(
        self, job: Job, module: str, values: Mapping[str, Any], progress: Progress
    ) -> dict[str, Any]:
        """Run a worker program on this machine."""
        return await self.local.run(self._request(job, module, values), progress)

    async def run(
        self,
        job: Job,
        module: str,
        values: Mapping[str, Any],
        progress: Progress,
        output: str = "",
    ) -> dict[str, Any]:
        """Run a worker program that reads ``path``, here or on the cluster."""
        request = self._request(job, module, values, ("path",), output)
        return await self.executor.run(request, progress)

    def _request(
        self,
        job: Job,
        module: str,
        values: Mapping[str, Any],
        inputs: tuple[str, ...] = (),
        output: str = "",
    ) -> WorkerRequest:
        tag = f"{self.queue.owner}-{job.id}-{job.attempts}"
        return WorkerRequest(("-m", module), values, tag, job.time_limit_s, inputs, output)

    async def update_manifest(self, track: int) -> None:
        """Write a track's rows into the manifest of its bundle, and notify listeners."""
        try:
            await manifest.update(self.database, self.places, track)
        finally:  # what was committed is news, wherever else it is written
            async with self.database.reading() as connection:
                bundle = (await tracks.get(connection, track)).bundle
            if bundle is not None:
                self.tell_track(track, bundle)

    def tell_track(self, track: int, bundle: str) -> None:
        """Notify listeners of a track."""
        for listener in list(self.track_listeners):
            listener(track, bundle)

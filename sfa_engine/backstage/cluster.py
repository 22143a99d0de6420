"""Workers on a Dask cluster: files travel through storage that all machines share.

::

    this machine               shared storage                     a worker of the cluster
    inputs ──upload──►  NAME/TAG/in/…    ──download──►  temporary folder
                                                        worker program ──progress──► this machine
    output ◄─download─  NAME/TAG/out/…   ◄──upload────  its output
    (atomically)                                        temporary folder deleted

A client that reaches a Dask scheduler can run programs on its workers and clients: the messages
are pickles, and ``tcp://`` authenticates nobody. So the address must use TLS, with certificates on
both sides, unless the configuration says otherwise.

When a worker of the cluster dies, the scheduler gives the request to another, which starts again.
A ``cancel`` file beside the inputs ends a request wherever it runs.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sfa_engine.backstage.runner import Progress, WorkerRequest, error_of, run_worker
from sfa_engine.errors import SfaError, WorkerError
from sfa_engine.system.atomic import replace_directory, sync, temporary_directory

logger = logging.getLogger(__name__)
CONNECT_S = 10.0
SECURE = ("tls://", "wss://")
CANCEL_PERIOD_S = 1.0
_TOPIC = "sfa-progress"


class Cluster:
    """Runs worker programs on a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous.
    shared : str
        A folder, or any URL of fsspec, that this machine and the cluster share.
    """

    def __init__(self, client: Any, shared: str) -> None:
        self._client = client
        self._shared = shared.rstrip("/")
        self._files, self._root = _storage(self._shared)
        self._listeners: dict[str, Progress] = {}
        client.subscribe_topic(_TOPIC, self._on_progress)

    @classmethod
    async def connect(cls, address: str, shared: str, *, insecure: bool = False) -> Cluster:
        """Connect to a scheduler.

        Parameters
        ----------
        address : str
            ``tls://…:8786``; Dask's own configuration names the certificates.
        shared : str
            See the class.
        insecure : bool
            Whether an address without TLS is accepted.

        Raises
        ------
        WorkerError
            The address has no TLS or does not answer, the shared storage is missing or of an
            unknown kind, or Dask is not installed.
        """
        if not address or not shared:
            raise WorkerError(
                'executor = "dask" needs an address and shared storage',
                "set dask and shared in [backstage]",
            )
        if not insecure and not address.startswith(SECURE):
            raise WorkerError(
                f"{address} has no TLS: everyone on the network could run programs here",
                'give a tls:// address, or set dask_security = "none" on a network of your own',
            )
        try:
            from distributed import Client
        except ImportError:
            raise WorkerError(
                "Dask is not installed", "install it with `pip install 'sfa-engine[dask]'`"
            ) from None
        _storage(shared)
        async with AsyncExitStack() as failed:
            try:
                client = Client(  # type: ignore[no-untyped-call]
                    address, asynchronous=True, timeout=CONNECT_S, set_as_default=False
                )
                failed.push_async_callback(client.close)
                await client
            except Exception as error:  # anything may answer there
                raise WorkerError(
                    f"no Dask scheduler at {address}: {error!s:.300}",
                    "start it, or set executor",
                ) from error
            cluster = cls(client, shared)
            failed.pop_all()
        return cluster

    def _on_progress(self, event: tuple[float, Any]) -> None:
        message = event[1]
        listener = self._listeners.get(message["tag"])
        if listener:
            listener(message["share"], message["doing"])

    async def run(self, request: WorkerRequest, progress: Progress) -> dict[str, Any]:
        """Run a worker program on the cluster."""
        self._listeners[request.tag] = progress
        path = f"{self._root}/{request.tag}"
        try:
            with self._storage_errors():
                await asyncio.to_thread(self._upload, request, path)
                answer = await self._submit(request)
                if "result" in answer and request.output:
                    target = Path(request.values[request.output])
                    await asyncio.to_thread(self._download, f"{path}/out", target)
        except Exception:
            await self._clear(path)
            raise
        except asyncio.CancelledError:
            with suppress(OSError):  # nothing was sent yet
                await asyncio.to_thread(self._files.touch, f"{path}/cancel")
            raise
        finally:
            self._listeners.pop(request.tag, None)
        await self._clear(path)
        if "error" in answer:
            raise error_of(answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    async def _submit(self, request: WorkerRequest) -> dict[str, Any]:
        """Submit a request; return its result or error."""
        wants_gpu = request.values.get("device") == "cuda"
        future = self._client.submit(
            run_request,
            self._shared,
            request,
            key=request.tag,
            pure=False,
            resources={"GPU": 1} if wants_gpu else None,
        )
        try:
            answer: dict[str, Any] = await future
        except asyncio.CancelledError:
            await future.cancel()
            raise
        except Exception as error:  # Dask and its transport raise anything
            raise WorkerError(
                f"the cluster failed: {type(error).__name__}: {error!s:.300}", "see its dashboard"
            ) from error
        return answer

    def _upload(self, request: WorkerRequest, path: str) -> None:
        for name in request.inputs:
            _send(self._files, Path(request.values[name]), f"{path}/in/{name}")

    def _download(self, path: str, target: Path) -> None:
        """Copy an output folder here; it appears whole."""
        with temporary_directory(target) as folder:
            fetched = _fetch(self._files, path, folder / "fetched")
            for each in (*fetched.rglob("*"), fetched):
                sync(each)
            replace_directory(fetched, target)

    async def _clear(self, path: str) -> None:
        """Delete a request's files from shared storage; what cannot be deleted is logged.

        A worker that still runs ends when they are gone.
        """
        try:
            await asyncio.to_thread(self._files.rm, path, True)
        except FileNotFoundError:
            return
        except OSError as error:
            logger.warning("%s is left on shared storage: %s", path, _reason(error))

    async def kill(self, prefix: str) -> None:
        """Cancel all requests whose tags have a prefix; delete those that were cancelled before."""
        await asyncio.to_thread(self._kill, f"{self._root}/{prefix}*")

    def _kill(self, paths: str) -> None:
        with self._storage_errors():
            for name in self._files.glob(paths):
                if self._files.exists(f"{name}/cancel"):
                    self._files.rm(name, True)  # no worker took it
                else:
                    self._files.touch(f"{name}/cancel")

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        """Raise an OSError of the storage as a WorkerError."""
        try:
            yield
        except OSError as error:
            raise WorkerError(
                f"shared storage: {_reason(error)}", f"check {self._shared}"
            ) from error

    async def close(self) -> None:
        """Disconnect."""
        await self._client.close()


def run_request(shared: str, request: WorkerRequest) -> dict[str, Any]:
    """Run a request on a worker of the cluster; return its result or its error."""
    from distributed import get_worker

    worker = get_worker()

    def progress(share: float, doing: str) -> None:
        worker.log_event(_TOPIC, {"tag": request.tag, "share": share, "doing": doing})

    files, root = _storage(shared)
    path = f"{root}/{request.tag}"
    # In the worker's own folder: Dask deletes that if the worker dies.
    with tempfile.TemporaryDirectory(prefix="sfa-", dir=worker.local_directory) as name:
        folder = Path(name)
        values = dict(request.values)
        for field in request.inputs:
            values[field] = str(_fetch(files, f"{path}/in/{field}", folder / field))
        if request.output:
            values[request.output] = str(folder / "made" / Path(values[request.output]).name)
            (folder / "made").mkdir()
        local = WorkerRequest(request.program, values, request.tag, request.time_limit_s)
        try:
            result = asyncio.run(_run_until_cancelled(files, path, local, progress))
        except SfaError as error:
            return {"error": error.to_wire()}
        if request.output:
            with suppress(FileNotFoundError):
                files.rm(f"{path}/out", True)
            _send(files, Path(values[request.output]), f"{path}/out")
        return {"result": result}


def _storage(shared: str) -> tuple[Any, str]:
    """Return the file system of shared storage, and the folder in it.

    Raises
    ------
    WorkerError
        fsspec does not know it, or lacks a package for it.
    """
    import fsspec

    try:
        files, root = fsspec.core.url_to_fs(shared)
    except (ImportError, ValueError) as error:
        raise WorkerError(
            f'cannot use "{shared}" as shared storage: {error}',
            "set shared in [backstage] to a folder, or a URL that fsspec knows",
        ) from None
    return files, root


def _reason(error: OSError) -> str:
    """Return an error's message, or its type if that is empty."""
    return str(error) if any(map(str.isalnum, str(error))) else type(error).__name__


def _send(files: Any, source: Path, root: str) -> None:
    """Copy a file or a folder to an empty path of shared storage.

    File by file: fsspec takes ``[``, ``*`` and ``?`` in names for patterns.
    """
    for path in (source, *source.rglob("*")):
        remote = f"{root}/{path.relative_to(source.parent)}"
        if path.is_dir():
            files.makedirs(remote, exist_ok=True)
        else:
            files.makedirs(remote.rpartition("/")[0], exist_ok=True)
            files.put_file(str(path), remote)


def _fetch(files: Any, root: str, folder: Path) -> Path:
    """Copy the one file or folder at a path of shared storage here; return it."""
    found: list[str] = files.find(root)
    if not found:
        raise FileNotFoundError(f"nothing at {root}")
    for remote in found:
        path = folder / Path(remote).relative_to(root)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(remote, str(path))
    (fetched,) = folder.iterdir()
    return fetched


async def _run_until_cancelled(
    files: Any, path: str, request: WorkerRequest, progress: Progress
) -> dict[str, Any]:
    """Run a worker program; kill it when a cancel file appears, or the request's files are gone."""
    task = asyncio.create_task(run_worker(request, progress))
    while True:
        done, _ = await asyncio.wait({task}, timeout=CANCEL_PERIOD_S)
        if done:
            return task.result()
        if files.exists(f"{path}/cancel") or not files.exists(f"{path}/in"):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            with suppress(FileNotFoundError):
                files.rm(path, True)
            raise WorkerError("the request was cancelled")

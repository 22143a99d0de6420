"""Orders on a Dask cluster: bytes travel through storage that all machines see.

::

    here                      shared storage                     a worker of the cluster
    inputs ──upload──►  NAME/MARK/in/…   ──download──►  scratch folder
                                                        worker program ──progress──► here
    output ◄─download─  NAME/MARK/out/…  ◄──upload────  its output
    (renamed into place)                                scratch folder removed

Whoever reaches a Dask scheduler runs programs on its workers and on its clients: what they say to
each other are pickles, and ``tcp://`` asks nobody who he is. So the address has to be of TLS, with
certificates on both sides, unless the configuration says otherwise.

A worker of the cluster that dies midway loses nothing: the scheduler gives the order to another,
which begins it anew. A ``cancel`` file beside the inputs ends an order wherever it runs.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sfa_engine.backstage.runner import Order, Progress, error_of, run_worker
from sfa_engine.durable import sync
from sfa_engine.errors import SfaError, WorkerError
from sfa_engine.library.draft import scratch, take_place

logger = logging.getLogger(__name__)
CONNECT_S = 10.0
SECURE = ("tls://", "wss://")
CANCEL_PERIOD_S = 1.0
_TOPIC = "sfa-progress"


class Cluster:
    """Sends orders to a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous.
    shared : str
        A folder, or any URL of fsspec, that this machine and the cluster's all see.
    """

    def __init__(self, client: Any, shared: str) -> None:
        self._client = client
        self._shared = shared.rstrip("/")
        self._files, self._root = _storage(self._shared)
        self._listeners: dict[str, Progress] = {}
        client.subscribe_topic(_TOPIC, self._hear)

    @classmethod
    async def connect(cls, address: str, shared: str, *, insecure: bool = False) -> Cluster:
        """Return the cluster at a scheduler's address.

        Parameters
        ----------
        address : str
            ``tls://…:8786``; Dask's own configuration names the certificates.
        shared : str
            See the class.
        insecure : bool
            Whether an address without TLS will do.

        Raises
        ------
        WorkerError
            The address has no TLS, nobody answers there, or no shared storage is named or none
            that is known, or Dask is not installed.
        """
        if not address or not shared:
            raise WorkerError(
                'executor = "dask" needs an address and shared storage',
                "set dask and shared in [backstage]",
            )
        if not insecure and not address.startswith(SECURE):
            raise WorkerError(
                f"{address} has no TLS: whoever reaches the scheduler could run programs here",
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
            except Exception as error:  # what answers there may be anything
                raise WorkerError(
                    f"no Dask scheduler answers at {address}: {error!s:.300}",
                    "start it, or set executor",
                ) from error
            here = cls(client, shared)
            failed.pop_all()
        return here

    def _hear(self, event: tuple[float, Any]) -> None:
        said = event[1]
        listener = self._listeners.get(said["mark"])
        if listener:
            listener(said["share"], said["doing"])

    async def run(self, order: Order, progress: Progress) -> dict[str, Any]:
        """Carry an order out on the cluster."""
        self._listeners[order.mark] = progress
        place = f"{self._root}/{order.mark}"
        try:
            with self._blamed():
                await asyncio.to_thread(self._upload, order, place)
                said = await self._submit(order)
                if "result" in said and order.output:
                    target = Path(order.request[order.output])
                    await asyncio.to_thread(self._download, f"{place}/out", target)
        except Exception:
            await self._clear(place)
            raise
        except asyncio.CancelledError:
            with suppress(OSError):  # nothing was sent yet
                await asyncio.to_thread(self._files.touch, f"{place}/cancel")
            raise
        finally:
            self._listeners.pop(order.mark, None)
        await self._clear(place)
        if "error" in said:
            raise error_of(said["error"])
        result: dict[str, Any] = said["result"]
        return result

    async def _submit(self, order: Order) -> dict[str, Any]:
        """Give an order to the scheduler; return what its worker said."""
        wants_gpu = order.request.get("device") == "cuda"
        future = self._client.submit(
            carry_out,
            self._shared,
            order,
            key=order.mark,
            pure=False,
            resources={"GPU": 1} if wants_gpu else None,
        )
        try:
            said: dict[str, Any] = await future
        except asyncio.CancelledError:
            await future.cancel()
            raise
        except Exception as error:  # whatever Dask or the function's transport raises
            raise WorkerError(
                f"the cluster failed: {type(error).__name__}: {error!s:.300}", "see its dashboard"
            ) from error
        return said

    def _upload(self, order: Order, place: str) -> None:
        for name in order.inputs:
            _send(self._files, Path(order.request[name]), f"{place}/in/{name}")

    def _download(self, place: str, target: Path) -> None:
        """Bring an output folder here, and rename it into its place."""
        with scratch(target) as folder:
            came = _fetch(self._files, place, folder / "came")
            for path in (*came.rglob("*"), came):
                sync(path)
            take_place(came, target)

    async def _clear(self, place: str) -> None:
        """Take an order's files off shared storage; what stays there changes nothing, and is told.

        A worker that is still at it ends when they are gone.
        """
        try:
            await asyncio.to_thread(self._files.rm, place, True)
        except FileNotFoundError:
            return
        except OSError as error:
            logger.warning("%s stays on shared storage: %s", place, _said(error))

    async def end(self, marks: str) -> None:
        """Tell all orders with such marks to end; those that were told before are cleared away."""
        await asyncio.to_thread(self._end, f"{self._root}/{marks}*")

    def _end(self, places: str) -> None:
        with self._blamed():
            for name in self._files.glob(places):
                if self._files.exists(f"{name}/cancel"):
                    self._files.rm(name, True)  # nobody took it up: it would lie there for ever
                else:
                    self._files.touch(f"{name}/cancel")

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        """Turn what storage reports inside the block into a WorkerError."""
        try:
            yield
        except OSError as error:
            raise WorkerError(
                f"shared storage: {_said(error)}", f"look at {self._shared}"
            ) from error

    async def close(self) -> None:
        """Leave the cluster."""
        await self._client.close()


def carry_out(shared: str, order: Order) -> dict[str, Any]:
    """Carry an order out, on a worker of the cluster; return its result or its error."""
    from distributed import get_worker

    worker = get_worker()

    def progress(share: float, doing: str) -> None:
        worker.log_event(_TOPIC, {"mark": order.mark, "share": share, "doing": doing})

    files, root = _storage(shared)
    place = f"{root}/{order.mark}"
    # In the worker's own folder: Dask clears that up if the worker dies.
    with tempfile.TemporaryDirectory(prefix="sfa-", dir=worker.local_directory) as name:
        folder = Path(name)
        request = dict(order.request)
        for field in order.inputs:
            request[field] = str(_fetch(files, f"{place}/in/{field}", folder / field))
        if order.output:
            request[order.output] = str(folder / "made" / Path(request[order.output]).name)
            (folder / "made").mkdir()
        here = Order(order.program, request, order.mark, order.time_limit_s)
        try:
            result = asyncio.run(_run_until_cancelled(files, place, here, progress))
        except SfaError as error:
            said = {"code": error.code, "message": error.message, "hint": error.hint}
            return {"error": said}
        if order.output:
            with suppress(FileNotFoundError):
                files.rm(f"{place}/out", True)
            _send(files, Path(request[order.output]), f"{place}/out")
        return {"result": result}


def _storage(shared: str) -> tuple[Any, str]:
    """Return shared storage, and the path of its folder there.

    Raises
    ------
    WorkerError
        If fsspec does not know it, or lacks what it needs for it.
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


def _said(error: OSError) -> str:
    """Return what an error says, or its kind if that is nothing."""
    return str(error) if any(map(str.isalnum, str(error))) else type(error).__name__


def _send(files: Any, source: Path, place: str) -> None:
    """Put a file or a folder into a place of shared storage, alone there.

    File by file: what fsspec does with a whole folder takes ``[``, ``*`` and ``?`` for patterns.
    """
    for path in (source, *source.rglob("*")):
        there = f"{place}/{path.relative_to(source.parent)}"
        if path.is_dir():
            files.makedirs(there, exist_ok=True)
        else:
            files.makedirs(there.rpartition("/")[0], exist_ok=True)
            files.put_file(str(path), there)


def _fetch(files: Any, place: str, folder: Path) -> Path:
    """Bring the one file or folder of a place here; return where it is."""
    found: list[str] = files.find(place)
    if not found:
        raise FileNotFoundError(f"nothing is at {place}")
    for there in found:
        path = folder / Path(there).relative_to(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(there, str(path))
    (came,) = folder.iterdir()
    return came


async def _run_until_cancelled(
    files: Any, place: str, order: Order, progress: Progress
) -> dict[str, Any]:
    """Run a worker program; end it when a cancel file appears, or the whole order is gone."""
    task = asyncio.create_task(run_worker(order, progress))
    while True:
        done, _ = await asyncio.wait({task}, timeout=CANCEL_PERIOD_S)
        if done:
            return task.result()
        if files.exists(f"{place}/cancel") or not files.exists(f"{place}/in"):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            with suppress(FileNotFoundError):
                files.rm(place, True)
            raise WorkerError("the order was cancelled")

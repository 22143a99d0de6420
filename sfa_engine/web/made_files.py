"""Files that the command line makes: layouts of TouchOSC, maps of controllers; and QR codes.

The web process imports no surface, so that what draws and compiles does so in a process of its
own.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import msgspec
import segno
from msgspec import Meta
from starlette.responses import Response

from sfa_engine.errors import WorkerError
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, answer
from sfa_engine.web.file_names import attachment
from sfa_engine.web.limits import Rate
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Right

PROGRAM = "sfa_engine.cli.main"
TIMEOUT_S = 60.0
AT_ONCE = 2
TABLETS = ("ipad", "phone")  # as `sfa layout list` has them; a test compares
VERSIONS = ("3", "6")
BORDER = 2  # light modules around a QR code
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")  # of a profile
_STATUSES = (404, 422, 500, 502, 503)


class QrText(msgspec.Struct, forbid_unknown_fields=True):
    """The text of a QR code."""

    text: Annotated[str, Meta(min_length=1, max_length=1000)]


class MadeFiles:
    """The endpoints."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._layouts: dict[tuple[str, str], bytes] = {}

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints."""
        read = Right("read")
        return [
            Endpoint(
                "GET",
                "/export/touchosc/{tablet}",
                f"Make a layout for TouchOSC: {' or '.join(f'{each}.tosc' for each in TABLETS)}.",
                self._layout,
                statuses=_STATUSES,
                rate=Rate.HEAVY,
                is_json=False,
                sends="application/octet-stream",
                formats=VERSIONS,
            ),
            Endpoint(
                "GET",
                "/export/map/{profile}",
                "Draw what the controls of a controller do, as SVG to print.",
                self._picture,
                statuses=_STATUSES,
                right=read,
                rate=Rate.HEAVY,
                is_json=False,
                sends="image/svg+xml",
            ),
            Endpoint(
                "GET",
                "/api/maps/{profile}",
                "List what the controls of a controller do, by its profile.",
                self._map,
                statuses=_STATUSES,
                right=read,
            ),
            Endpoint(
                "POST",
                "/api/qr",
                "Return the QR code of a text as SVG.",
                _qr,
                body=QrText,
                right=read,
                is_json=False,
                sends="image/svg+xml",
            ),
        ]

    async def _layout(self, exchange: Exchange) -> Response:
        """Send a layout; without a sign-in, for the tablet that reads its address as a QR code."""
        tablet = exchange.path["tablet"].removesuffix(".tosc")
        if tablet not in TABLETS:
            raise Problem(404, f'no tablet "{tablet:.40}"', f"give {' or '.join(TABLETS)}")
        given = exchange.request.query_params.getlist("format") or [VERSIONS[0]]
        if len(given) > 1 or given[0] not in VERSIONS:
            hint = f"give {' or '.join(VERSIONS)}"
            raise Problem(422, f'no format "{", ".join(given):.40}"', hint)
        key = tablet, given[0]
        if key not in self._layouts:  # the desk does not change while this process lives
            options = ("--format", given[0], "--tablet", tablet)
            self._layouts[key] = await self._made("deck.tosc", "layout", "touchosc", *options)
        headers = {"Content-Disposition": attachment(f"sfa-{tablet}.tosc")}
        return Response(self._layouts[key], headers=headers, media_type="application/octet-stream")

    async def _picture(self, exchange: Exchange) -> Response:
        name = _profile(exchange)
        made = await self._made("map.svg", "midi", "map", name)
        headers = {"Content-Disposition": attachment(f"{name}.svg"), "Cache-Control": "no-store"}
        return Response(made, headers=headers, media_type="image/svg+xml")

    async def _map(self, exchange: Exchange) -> Response:
        name = _profile(exchange)
        made: Any = msgspec.json.decode(await self._made("", "midi", "map", name, "--json"))
        return answer({"profile": name, "controls": made})

    async def _made(self, file: str, *command: str) -> bytes:
        """Return the file that a command of `sfa` writes; its output without a file.

        Raises
        ------
        Problem
            404: what it names is not there.
        WorkerError
            It failed.
        """
        async with self._places:
            with TemporaryDirectory(prefix="sfa-made-") as folder:
                output = ("--output", str(Path(folder) / file)) if file else ()
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", PROGRAM, *command, *output),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=PIPE,
                    stderr=PIPE,
                )
                try:
                    async with asyncio.timeout(TIMEOUT_S):
                        said, complaint = await process.communicate()
                except TimeoutError:
                    raise WorkerError(f"`sfa {command[0]}` took too long", "repeat it") from None
                finally:
                    if process.returncode is None:
                        process.kill()
                        await process.wait()
                if process.returncode:
                    text = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2]
                    if "no profile" in text:
                        raise Problem(404, f"no profile {command[2]}", "see midi.profiles")
                    raise WorkerError(f"`sfa {command[0]}` failed: {text:.300}", "see the web log")
                return (Path(folder) / file).read_bytes() if file else said


def _profile(exchange: Exchange) -> str:
    name = exchange.path["profile"]
    if not _NAME.match(name):
        raise Problem(404, f'no profile "{name:.40}"', "see midi.profiles")
    return name


async def _qr(exchange: Exchange) -> Response:
    """Send a code; its text is in the body, not in the address: it may be a one-time link."""
    given = await exchange.parsed(QrText)
    image = io.BytesIO()
    code = segno.make(given.text, error="m", micro=False)
    code.save(image, kind="svg", border=BORDER, light="#fff", dark="#000", xmldecl=False)
    headers = {"Cache-Control": "no-store"}
    return Response(image.getvalue(), headers=headers, media_type="image/svg+xml")

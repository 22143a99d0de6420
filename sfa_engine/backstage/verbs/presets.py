"""``presets.*``: presets of the desk, each a file in the data folder."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.desk.presets import MAX_PROGRAM, Preset, check_preset, known
from sfa_engine.errors import Refused
from sfa_engine.system.named_files import FileName, NamedFiles
from sfa_engine.wire.verbs import verb

FOLDER = "presets"
MAX_BYTES = 500_000  # of a file: the whole desk has 40,000

Program = Annotated[int, Meta(ge=0, le=MAX_PROGRAM)]


class PresetVerbs:
    """The verbs on presets.

    Parameters
    ----------
    data : pathlib.Path
        The data folder.
    """

    def __init__(self, data: Path) -> None:
        self._files = NamedFiles(
            data / FOLDER, "preset", "sfa preset list", suffix=".json", max_bytes=MAX_BYTES
        )

    @verb(scope="read")
    async def presets_list(self) -> dict[str, Any]:
        """Return the presets by name, with program number and count of controls; their folder."""
        return {
            "folder": str(self._files.folder),
            "presets": await asyncio.to_thread(self._all),
        }

    @verb(scope="read")
    async def presets_get(
        self, name: FileName | None = None, program: Program | None = None
    ) -> dict[str, Any]:
        """Return a preset by its name or program number; ``left_out`` cannot be recalled here."""
        if program is not None:
            name = await asyncio.to_thread(self._of_program, program)
        if name is None:
            raise Refused("one of name and program is needed", "give the name of a preset")
        preset = await asyncio.to_thread(self._files.read, name, _parse)
        _, left_out = known(preset["values"])
        return {
            "name": name,
            "preset": preset,
            "left_out": [each._asdict() for each in left_out],
        }

    @verb(scope="perform")
    async def presets_save(self, name: FileName, preset: dict[str, Any]) -> dict[str, Any]:
        """Save a preset, in place of an earlier one of its name, whose program number it keeps."""
        made = check_preset(preset)
        programs = await asyncio.to_thread(self._programs)
        if made["program"] is None:
            made["program"] = programs.get(name)
        other = next((n for n, p in programs.items() if p == made["program"] and n != name), "")
        if other and made["program"] is not None:
            raise Refused(
                f'program {made["program"]} is that of preset "{other}"', "give another number"
            )
        text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
        return {"path": str(await self._files.save(name, text)), "program": made["program"]}

    @verb(scope="perform")
    async def presets_remove(self, name: FileName) -> dict[str, Any]:
        """Remove a preset."""
        await self._files.remove(name)
        return {"removed": name}

    def _all(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for name in self._files.names():
            try:
                preset = self._files.read(name, _parse)
            except Refused as error:
                rows.append({"name": name, "program": None, "controls": 0, "error": str(error)})
            else:
                count = len(preset["values"])
                rows.append({"name": name, "program": preset["program"], "controls": count})
        return rows

    def _programs(self) -> dict[str, int | None]:
        return {row["name"]: row["program"] for row in self._all()}

    def _of_program(self, program: int) -> str:
        for name, number in self._programs().items():
            if number == program:
                return name
        raise Refused(
            f"no preset has program {program}", f"sfa preset save NAME --program {program}"
        )


def _parse(content: bytes) -> Preset:
    return check_preset(json.loads(content))

"""Lights of what the stage owns: ``session.lock``, the bank of the hot cues, the list.

All others the host sends by itself, from the table. Of these the table has the unlit message alone,
for layers in which they show nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sfa_engine.desk import CONTROLS
from sfa_engine.engine.midi import LightKind
from sfa_engine.errors import Refused
from sfa_engine.stage.conductor import Conductor
from sfa_engine.surfaces.midi.layers import Force
from sfa_engine.surfaces.midi.lights import Lamp, is_meter, lamp, lit_range
from sfa_engine.surfaces.midi.profile import Profile

METER_TOP = 127


@dataclass(frozen=True)
class StageLight:
    """One lamp: what it is sent while ``state & mask == want``."""

    path: str
    force: Force
    kind: LightKind
    low: float
    high: float
    lamp: Lamp

    def message(self, conductor: Conductor) -> bytes:
        """Return what it is to be sent now."""
        value = conductor.get(self.path)
        control = CONTROLS[self.path]
        if self.kind is LightKind.METER and self.lamp.level_at >= 0:
            on = bytearray(self.lamp.on)
            on[self.lamp.level_at] = round(METER_TOP * control.scale.travel(value))
            return bytes(on)
        return self.lamp.on if self.low <= value <= self.high else self.lamp.off


def stage_lights(profile: Profile, model: int) -> tuple[StageLight, ...]:
    """Return the lamps of a profile that the stage has to send to a device of a model."""
    found = []
    for each in profile.assignments:
        is_shown = each.control is not None and each.control.settable and each.kind != "step"
        own = each.path if is_shown else ""
        path = each.shows or own
        control = CONTROLS.get(path)
        if each.light is None or control is None or control.owner != "stage" or control.planned:
            continue
        if control.kind == "text":
            continue
        try:
            physical = profile.physicals[each.physical]
            messages = lamp(each, physical, profile.document.palette, control, model)
        except Refused:  # of a template that the profile's check tells of
            continue
        kind, low, high = lit_range(each, control, is_meter(each.light))
        found.append(StageLight(path, each.force, kind, low, high, messages))
    return tuple(found)


def due(
    lights: tuple[StageLight, ...], state: int, conductor: Conductor, path: str = ""
) -> list[bytes]:
    """Return the messages of the lamps that are in force; of one control, if it is named."""
    return [
        light.message(conductor)
        for light in lights
        if path in {"", light.path} and state & light.force.mask == light.force.want
    ]

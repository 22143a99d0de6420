"""The classes that have the verbs of stage and backstage."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module

import sfa_engine.backstage.verbs as backstage
from sfa_engine.backstage.server import Client as BackstageClient
from sfa_engine.stage.automation import Automation
from sfa_engine.stage.core import Core
from sfa_engine.stage.effects import Effects
from sfa_engine.stage.pads import Pads
from sfa_engine.stage.presets import Presets
from sfa_engine.stage.recording import Recording
from sfa_engine.stage.trace import Trace
from sfa_engine.surfaces.midi.surface import MidiSurface
from sfa_engine.surfaces.osc.server import Server as OscServer
from sfa_engine.surfaces.rtpmidi.server import Server as NetworkMidi
from sfa_engine.surfaces.socket.server import Client as StageClient
from sfa_engine.wire.session import Session
from sfa_engine.wire.verbs import verbs_of

STAGE: tuple[type, ...] = (
    *(Session, Core, Effects, Automation, Pads, Presets, Recording),
    *(StageClient, Trace, MidiSurface, OscServer, NetworkMidi),
)


def classes_of_backstage() -> list[type]:
    """Return the classes of `sfa_engine.backstage.verbs` that have verbs."""
    modules = [
        import_module(each.name)
        for each in pkgutil.iter_modules(backstage.__path__, backstage.__name__ + ".")
    ]
    return [
        BackstageClient,
        *(
            kind
            for module in modules
            for _, kind in inspect.getmembers(module, inspect.isclass)
            if kind.__module__ == module.__name__ and verbs_of(kind)
        ),
    ]

"""Names of the files in the runtime folder by which processes find each other."""

from __future__ import annotations

ENGINE_MEMORY = "engine.memory"  # mapped; outlives the host
STAGE_VALUES = "stage-values.json"  # of the stage: the values that it owns, for the next one
OSC_SUBSCRIBERS = "osc-subscribers.json"  # of the stage: OSC peers with feedback, for the next one
RESTARTS = "restarts.json"  # of the supervisor: which process it restarted lately, and why

ENGINE_SOCKET = "engine.sock"  # of the stage: the control socket
HOST_SOCKET = "host.sock"
BACKSTAGE_SOCKET = "backstage.sock"
WEB_SOCKET = "web.sock"

SUPERVISOR_LOCK = "sfa.lock"
HOST_LOCK = "host.lock"
STAGE_LOCK = "stage.lock"
BACKSTAGE_LOCK = "backstage.lock"
WEB_LOCK = "web.lock"
LIBRARY_LOCK = "library.lock"  # in the data folder: one backstage a library

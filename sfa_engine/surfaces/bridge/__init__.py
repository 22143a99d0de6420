"""Routes between MIDI, OSC and the desk, past profiles. See ``docs/bridge.md``."""

"""Ableton Link: tempo, beat and start/stop, shared with other programs on the network."""

"""Network MIDI: AppleMIDI sessions, RTP-MIDI packets. See ``docs/network-midi.md``."""

"""MIDI controllers: profiles, and the tables that the host resolves their messages by."""

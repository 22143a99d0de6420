"""The format of a track on disk: bundle, PCM, beat grid and cues.

Shared by host, library and preparation. Knows no database and no sound device.
"""

"""Backstage: the library, the job queue and the outside services, in one asyncio process.

It may be killed at any moment without an effect on the sound. It imports nothing of
the stage or the audio plane; torch, demucs, librosa and spotdl live in worker programs only.
"""

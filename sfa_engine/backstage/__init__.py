"""Backstage: the library's owner, the job queue, and what speaks to the world. asyncio.

It may die at any moment without a sound missing. Nothing of the stage or of the audio plane's
processes is imported here; torch, demucs, librosa and spotdl live in worker programs only.
"""

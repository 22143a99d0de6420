"""The sound: functions that are compiled and run in the audio thread.

`@kernel` on a function means: runs in the audio thread. It may not allocate, raise, lock,
print or call Python; two tests read the machine code and the sources to see that it does not.
Plain-C style throughout, so that a port stays possible.

::

    engine.process ─ for every 32 frames:
       scheduler.drain ─ scheduler.run_due ─ a verb     what changes, at its exact frame
       deck.render ─ interpolate ─ filters ─ equaliser  two channels
       mixer.mix ─ limiter.limit ─ meter                the master and the headphones
    engine.finish ─ readings, times, histogram

Importing a module of this package imports Numba. The host never does: `host.build`
compiles once and the machine code is loaded by llvmlite alone.
"""

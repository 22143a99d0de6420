"""Stem separation: engines behind one interface, a worker program. Only workers import it.

What comes out sums to what went in, whatever the engine; `separation` sees to that.
"""

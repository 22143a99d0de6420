"""Stem separation: engines behind one interface, a worker program. Nobody but workers imports it.

What comes out sums to what went in, whatever the engine; `separation` sees to that.
"""

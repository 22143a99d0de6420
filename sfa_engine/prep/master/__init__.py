"""Mastering: meters, the chain's sound, encoders, and the worker program that uses them.

What a report says and which steps are needed is decided in `sfa_engine.mix.mastering`.
"""

"""``sfa bench``: measures engine, recovery, preparation, analysis and separation against baselines.

The only plane that may import every other one.
"""

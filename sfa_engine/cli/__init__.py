"""The ``sfa`` command: configuration, supervision, and everything typed by a person.

Puts the planes together; decides nothing and makes no sound, and nobody imports it.
"""

RATES_HZ = (8_000, 192_000)  # that the engine is run at

"""The ``sfa`` command: configuration, supervision, and everything typed by a person."""

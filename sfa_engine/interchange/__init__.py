"""Other programs' libraries, cues and grids: pure parsers and writers, one module a format.

All speak one neutral record, `sfa_engine.interchange.record`; none knows the database.
"""

"""`sfa bench analysis`: how right the analysis is, and how sure it may be, beside librosa.

::

    pieces ─► answer (product: a worker per file; librosa: one program) ─► score ─► goal, table
                                                                             └────► reliability

A *row* is the score of one piece; what is unknown of a piece or not said by an engine is missing.
"""

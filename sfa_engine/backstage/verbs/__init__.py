"""What a client may ask of backstage: one class for each prefix of the control socket.

Methods are verbs by inspection: ``jobs_list`` is ``jobs.list``. They check what they are given,
since it comes from anybody, and answer with plain values. Nothing slow is done here: that is for
jobs.
"""

"""The verbs of backstage: one class for each prefix of the control socket.

Methods marked by `verb` are verbs: ``jobs_list`` is ``jobs.list``. Their annotations say what a
request may give; they answer with plain values. Nothing slow is done here: that is for jobs.
"""

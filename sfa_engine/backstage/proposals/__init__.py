"""Proposals of agents: checked, stored, applied by the verbs that a person would use, undone."""

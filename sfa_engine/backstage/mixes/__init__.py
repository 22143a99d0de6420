"""Mixes: facts of tracks for the planner, stored plans, rendered transitions."""

"""Protocols for the controls. No surface knows another, and none decides anything."""

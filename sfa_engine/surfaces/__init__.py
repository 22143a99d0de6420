"""Protocols to controls and back. No surface knows another, and none decides anything."""

"""Clients of outside services, and what a path, a link or an address names. Downloads nothing."""

"""Rows of the library from collections of other programs, and collections of rows."""

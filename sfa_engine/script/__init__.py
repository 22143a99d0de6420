"""A mix as text: parse it, render it to a file, play it on a running engine."""

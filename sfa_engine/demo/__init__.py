"""The demo: two synthesised tracks and a mix of them. Needs the extra ``demo`` for its picture."""

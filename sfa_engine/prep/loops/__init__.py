"""Loops of stems, cut on the grid to the frame, into a kit of the sampler or a zip."""

"""Process mains, supervision, configuration and logging: the composition of the planes."""

"""What is done to music before it is played. The only plane that may import decoders and models."""

"""The preparation of music, in worker programs. No other plane may import decoders and models."""

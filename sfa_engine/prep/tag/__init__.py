"""Tags of how a track sounds: musicnn's two networks in NumPy.

The trained weights are in ``musicnn.npz`` beside this file, with their licence in
``MUSICNN-LICENSE.md``; `convert` made them of the authors' package (decision 0025).
"""

"""Transforms: what happens to the picture before the network sees it. Each module is one, called as its part.

tensorflow/lucid (`lucid/optvis/transform.py`, 2018) jitters, scales and rotates the picture before each step,
so that only shapes grow which are robust to that. The gradient returns through the exact transpose, not
through the inverse transform, which would blur it a second time and differently.
"""

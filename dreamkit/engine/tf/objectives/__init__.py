"""Objectives: what grows in a layer. Each module is one, called as `--objective` calls it."""

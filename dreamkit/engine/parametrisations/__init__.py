"""Parametrisations: the variables that a step changes, and how they become pixels. Each module is one, called
as `--space` calls it.
"""

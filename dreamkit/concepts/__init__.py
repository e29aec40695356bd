"""Concepts: what is in the user's own pictures, as directions of a network's layers."""

"""Plugins: what other packages add to dreamkit, and the registries in which everything is found by name."""

"""What dreamkit finds where it is installed: what is there, what is missing, and what brings it.

Nothing is changed, and nothing is downloaded.
"""

"""What does the tasks of a command: processes of this machine, or a Ray cluster."""

"""Pictures, films and files: everything read from disk and written to it."""

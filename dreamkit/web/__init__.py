"""The same dreams in the browser: a network exported to files, a page that dreams with it, and its server."""

"""`python -m dreamkit`."""

from dreamkit.cli import main

main()

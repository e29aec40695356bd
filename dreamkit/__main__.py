"""`dreamkit`, and `python -m dreamkit`."""

import sys


def main() -> None:
    """Runs the command line; Ctrl-C while it is still being imported is no bug either."""
    try:
        from dreamkit.cli import main as command

        command()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

"""Runs the program of the plugin dreamkit-places365 without installing the plugin.

python scripts/convert_places365.py googlenet [--prototxt FILE --caffemodel FILE]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "plugins" / "dreamkit-places365"))

from dreamkit_places365.__main__ import main

if __name__ == "__main__":
    main()

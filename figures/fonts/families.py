"""The font of all figures: DejaVu Sans without what figures do not need, a sixth of its size.

matplotlib reads a whole font to embed a few of its letters into a PDF; with DejaVu's own files that
took half of all drawing. A character that is missing here is drawn in DejaVu Sans.
The files are made by `make_files.py`.
"""

from functools import cache
from pathlib import Path

NAME = "nasarena Sans"
FILES = {  # by the name of DejaVu's file
    "DejaVuSans": "sans.ttf",
    "DejaVuSans-Bold": "sans-bold.ttf",
    "DejaVuSans-Oblique": "sans-oblique.ttf",
}


@cache
def font_families() -> list[str]:
    """What `font.family` of matplotlib is to be; ours is made known to it on first use."""
    from matplotlib.font_manager import fontManager

    for file in FILES.values():
        fontManager.addfont(Path(__file__).with_name(file))
    return [NAME, "DejaVu Sans"]

"""Makes the font's files from those of matplotlib: python -m nasarena.figures.fonts.make_files.

Kept are outlines and pairs to be kerned of Latin, Greek and Cyrillic letters, punctuation,
arrows and signs of mathematics; hints, which matplotlib replaces by its own, and the layout rules
of other scripts go. DejaVu's licence (sans.LICENSE) asks for another name.
"""

from pathlib import Path

import matplotlib
from fontTools import subset

from nasarena.figures.fonts.families import FILES, NAME

RANGES = ((0x20, 0x17F), (0x370, 0x45F), (0x2000, 0x22FF))
_FAMILY, _FULL, _POSTSCRIPT = (1, 16), (3, 4), (6,)  # numbers of names in a font
_NOT_SUBSET = ["GSUB", "GPOS", "GDEF", "MATH", "FFTM"]


def make_file(source: Path, target: Path) -> None:
    """Write a font with the characters of RANGES alone, under our name."""
    options = subset.Options(
        glyph_names=True, legacy_kern=True, notdef_outline=True, name_IDs="*", hinting=False
    )
    options.drop_tables += _NOT_SUBSET
    options.recalc_timestamp = False
    with subset.load_font(str(source), options) as font:
        subsetter = subset.Subsetter(options)
        subsetter.populate(
            unicodes=[code for first, last in RANGES for code in range(first, last + 1)]
        )
        subsetter.subset(font)
        style = source.stem.removeprefix("DejaVuSans").replace("-", " ")
        for entry in font["name"].names:
            if entry.nameID in _FAMILY:
                entry.string = NAME
            elif entry.nameID in _FULL:
                entry.string = NAME + style
            elif entry.nameID in _POSTSCRIPT:
                entry.string = f"{NAME}{style}".replace(" ", "-")
        font.save(target)


if __name__ == "__main__":
    for source, file in FILES.items():
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        make_file(folder / f"{source}.ttf", Path(__file__).with_name(file))

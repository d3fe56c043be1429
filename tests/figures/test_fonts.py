"""The font that figures are written in: its outlines are DejaVu's, as is what it lacks."""

import re
from io import BytesIO
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font, LoadFlags

from nasarena.figures.fonts import families
from nasarena.figures.fonts.families import FILES, NAME
from nasarena.figures.fonts.make_files import RANGES
from nasarena.figures.plots.style import house_style

DEJAVU = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
FONTS = Path(families.__file__).parent


def fonts_in(text: str) -> set[str]:
    """The fonts of a PDF in which this text is written, by their names in PostScript."""
    with house_style(), matplotlib.rc_context({"pdf.fonttype": 42, "pdf.compression": 0}):
        figure = Figure()
        figure.text(0.1, 0.5, text)
        file = BytesIO()
        figure.savefig(file, format="pdf", metadata={"CreationDate": None})
    return {name.decode() for name in re.findall(rb"/FontName /[A-Z]+\+([\w-]+)", file.getvalue())}


@pytest.mark.parametrize(("source", "file"), FILES.items())
def test_letters_are_those_of_dejavu(source: str, file: str) -> None:
    theirs, ours = FT2Font(DEJAVU / f"{source}.ttf"), FT2Font(FONTS / file)
    assert ours.family_name == NAME and ours.style_name == theirs.style_name
    codes = [code for first, last in RANGES for code in range(first, last + 1)]
    known = [code for code in codes if theirs.get_char_index(code)]
    assert len(known) > 1000
    for code in known:
        for font in (theirs, ours):
            font.load_char(code, flags=LoadFlags.NO_SCALE)
        assert (theirs.get_path()[0] == ours.get_path()[0]).all(), chr(code)


def test_what_it_lacks_is_drawn_in_dejavu() -> None:
    assert fonts_in("evolution, Ωμέγα, → 3 ≤ 4") == {"nasarena-Sans"}
    assert fonts_in("Հայերեն") == {"DejaVuSans"}  # no warning of a missing glyph either

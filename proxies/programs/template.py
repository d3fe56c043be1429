"""Scripts made of a template and a list of edits: the code of an edit stands at its place there."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasarena.search.candidates.edit_space import EditSpace

if TYPE_CHECKING:
    import jinja2


def render_edits(template: Path, space: EditSpace, candidate: str, **others: Any) -> str:
    """The script of a list of edits; the template also knows `edits` and the `others`.

    Raises InvalidPattern for what is no list of edits.
    """
    values: dict[str, Any] = {**others, **space.values(candidate)}
    return load_template(template).render(**values, edits=space.validate(candidate)) + "\n"


@cache
def load_template(template: Path) -> "jinja2.Template":
    """The template of a file; a name that nobody gave is an error."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=False)
    return environment.from_string(template.read_text())

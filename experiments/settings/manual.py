"""What `nasarena COMMAND --help` says: read from `conf/`, where every setting has its comment.

One source: the YAML that gives a setting its default also explains it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from nasarena.experiments.settings.overrides import CONF, choices_of, groups_of

_LINE = re.compile(r"^(?P<indent> *)(?P<key>[\w-]+):(?P<value>[^#]*)(?:# ?(?P<text>.*))?$")
_WIDTH = 100
_COLUMN = 34  # where explanations begin
_ABOUT = ("name",)  # what the choice itself is called, not a setting


def manual(command: str, usage: str, summary: str, conf: str | None) -> str:
    """The help of a command: usage, what it does, and every setting with its default."""
    lines = [f"usage: nasarena {command} {usage}".rstrip(), "", *wrap(summary, _WIDTH)]
    if conf is None:
        return "\n".join(lines)
    lines += ["", "settings, given as key=value:"]
    lines += _settings(settings_of(CONF / f"{conf}.yaml"))
    for group, default in groups_of(conf).items():
        lines += ["", *_group(group, default)]
    return "\n".join(lines)


def _group(group: str, default: str) -> Iterator[str]:
    """A group's choices, the settings of the default one, and what others have besides."""
    choices = choices_of(group)
    chosen = CONF / group / f"{default}.yaml"
    if len(choices) == 1:
        yield f"{group}: {description(chosen)}"
    else:
        yield f"{group}={default}  one of:"
        for choice in choices:
            yield from _entry(f"  {group}={choice}", description(CONF / group / f"{choice}.yaml"))
    settings = settings_of(chosen)
    if len(choices) > 1 and any(key not in _ABOUT for key, _, _ in settings):
        yield f"settings of {group}={default}:"
    yield from _settings(settings, f"{group}.")
    shown = {key for key, _, _ in settings}
    for choice in choices:
        others = settings_of(CONF / group / f"{choice}.yaml")
        own = [setting for setting in others if setting[0] not in shown]
        if any(key not in _ABOUT for key, _, _ in own):
            yield f"settings of {group}={choice}:"
            yield from _settings(own, f"{group}.")


def description(file: Path) -> str:
    """The comment at the top of a YAML file, as one line."""
    lines = []
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines)


def _settings(settings: list[tuple[str, str, str]], prefix: str = "") -> Iterator[str]:
    for key, value, text in settings:
        if key not in _ABOUT or not prefix:
            yield from _entry(f"  {prefix}{key}={value}", text)


def settings_of(file: Path) -> list[tuple[str, str, str]]:
    """(dotted key, default, explanation) of every setting in a YAML file, in its order."""
    found: list[tuple[str, str, str]] = []
    parents: list[str] = []
    for line in file.read_text().splitlines():
        match = _LINE.match(line)
        if match is None or (match["key"] == "defaults" and not match["indent"]):
            continue
        del parents[len(match["indent"]) // 2 :]
        value = match["value"].strip()
        if value:
            key = ".".join([*parents, match["key"]])
            found.append((key, value, (match["text"] or "").strip()))
        else:
            parents.append(match["key"])
    return found


def _entry(left: str, text: str) -> Iterator[str]:
    """An entry in two columns; a long left side has lines of its own."""
    lines = wrap(text, _WIDTH - _COLUMN) or [""]
    if len(left) + 2 > _COLUMN and text:
        yield from wrap(left, _WIDTH, subsequent_indent=" " * 6, break_on_hyphens=False)
        left = ""
    yield f"{left:{_COLUMN}}{lines[0]}".rstrip()
    for line in lines[1:]:
        yield f"{'':{_COLUMN}}{line}"

"""`nasarena report` of somebody else's folder writes there alone, and text stays text."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import edit_events
from nasarena.experiments.commands.cli import main
from nasarena.figures.comparison import write_all
from nasarena.search.untrusted.drafts import draft_of, replace_text

Add = Callable[..., Path]
OUTPUTS = ["report.md", "table.csv", "report.html", "anchors.json"]


@pytest.mark.parametrize("name", [*OUTPUTS, "figures/ranking.png", "figures/ranking.pdf"])
def test_no_link_is_followed(name: str, tmp_path: Path, add_comparison: Add) -> None:
    """The file behind it stays as it was, and the report is whole."""
    folder = add_comparison(tmp_path / "x", {"random": 0.0, "climber": 0.9}, 2)
    mine = tmp_path / "authorized_keys"
    if name != "anchors.json":  # what is there is read; a dangling link was created
        mine.write_text("mine\n")
    (folder / "figures").mkdir()
    (folder / name).symlink_to(mine)
    write_all(folder, "nasarena report", only=("ranking",))
    assert not (folder / name).is_symlink() and (folder / name).stat().st_size > 5
    assert not mine.exists() if name == "anchors.json" else mine.read_text() == "mine\n"
    assert not list(folder.rglob("*.draft"))


def test_a_linked_folder_of_figures_is_refused(
    tmp_path: Path, add_comparison: Add, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = add_comparison(tmp_path / "x", {"random": 0.0, "climber": 0.9}, 2)
    (tmp_path / "mine").mkdir()
    (folder / "figures").symlink_to(tmp_path / "mine")
    assert main(["report", str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "figures must be a folder, got a link to" in line
    assert list((tmp_path / "mine").iterdir()) == [] and not (folder / "report.md").exists()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    replace_text(file, "before")
    with pytest.raises(OSError), draft_of(file) as draft:
        draft.write_text("half of wh")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert file.read_text() == "before" and list(tmp_path.iterdir()) == [file]


def test_a_reason_is_one_line_of_text_in_the_report(tmp_path: Path, add_comparison: Add) -> None:
    """No line of its own, no markup, nothing that a terminal obeys, nothing UTF-8 cannot say."""
    folder = add_comparison(tmp_path / "x", {"random": 0.0, "climber": 0.9}, 3)
    reason = "x\nssh-ed25519 AAAA\n# big\r<img src=x onerror=y> [a](b) `c` \x1b]0;t\x07 \ud800"

    def fail(event: dict[str, str]) -> None:
        if event["event"] == "finished":
            event.update(event="failed", reason=reason)

    edit_events(folder / "climber" / "seed-2", fail)
    write_all(folder, "nasarena report", only=("ranking",))
    lines = (folder / "report.md").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if "ssh-ed25519" in line]
    assert line.startswith("- climber, seed 2, failed: x ssh-ed25519 AAAA \\# big \\<img src=x")
    assert r"\[a\](b) \`c\` \\x1b]0;t\\x07 \\ud800".replace("b]0", r"b\]0") in line
    assert line.isprintable()
    assert "ssh-ed25519" in (folder / "report.html").read_text(encoding="utf-8")

"""Disks that are full: of the run folder, of the caches, and of the comparison to be reported.

A command ends well or in one line, never by a signal or a traceback. With room again the same
command comes to the events of the undisturbed comparison; a full cache costs time alone; a report
that cannot be written leaves the former one as it was.

A disk is a tmpfs of the wanted size, which only root may mount: for others nothing is tried.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nasarena.experiments.measure.faults.tally import Tally
from nasarena.experiments.measure.faults.victim import TARGETS, Victim, complaint, undisturbed

_PAGE = 4096
_ROOMY = 512 << 20
_SIZES = 6  # of each disk
_BENCHMARK = "patternbench"
_CACHE_BYTES = (_PAGE, 1 << 20, 60 << 20, 171 << 20)  # its table has 172 MB


def attack(effort: float) -> list[Tally]:
    """Fill; `effort` scales how many sizes of disks."""
    if os.geteuid() != 0:
        return [Tally("any", "not tried: only root may mount a tmpfs")]
    num_sizes = max(1, round(_SIZES * effort))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tallies = []
        for target, settings in TARGETS.items():
            peace = undisturbed(settings, folder / "peace", folder / "cache")
            tallies.append(_fill_run_folders(target, peace, num_sizes))
            if target == _BENCHMARK:
                tallies.append(_fill_caches(target, peace, num_sizes))
                tallies.append(_fill_reports(target, peace, num_sizes))
            shutil.rmtree(peace.folder)
    return tallies


def _fill_run_folders(target: str, peace: Victim, num_sizes: int) -> Tally:
    """Room for more and more of the runs."""
    tally = Tally(target, "run folder on a full disk")
    used = _num_bytes(peace.folder)
    for number in range(num_sizes):
        with _disk(peace.folder.with_name("small"), _PAGE + used * number // num_sizes) as small:
            victim = Victim(peace.settings, small.folder, peace.cache)
            wrong = complaint(*victim.run(), allowed=[0, 2])
            small.enlarge()
            wrong = wrong or complaint(*victim.run(), allowed=[0])
            if not wrong and victim.outcome() != peace.outcome():
                wrong = "other events than those of the undisturbed comparison"
            tally.note(wrong)
    return tally


def _fill_caches(target: str, peace: Victim, num_sizes: int) -> Tally:
    """Results are whole at once: nothing needs a second command."""
    tally = Tally(target, "caches on a full disk")
    for size in _CACHE_BYTES[:num_sizes]:
        with _disk(peace.folder.with_name("cache-small"), size) as small:
            victim = Victim(peace.settings, peace.folder.with_name("other"), small.folder)
            wrong = complaint(*victim.run(), allowed=[0])
            if not wrong and victim.outcome() != peace.outcome():
                wrong = "another outcome than that of the undisturbed comparison"
            tally.note(wrong)
            shutil.rmtree(victim.folder)
    return tally


def _fill_reports(target: str, peace: Victim, num_sizes: int) -> Tally:
    """Room for more and more of what a report writes, beside the runs and a former report."""
    tally = Tally(target, "report on a full disk")
    runs = _num_bytes(peace.folder)
    peace.run("report")
    written = _num_bytes(peace.folder) - runs
    for number in range(max(1, num_sizes // 2)):
        room = written * 2 * number // num_sizes
        with _disk(peace.folder.with_name("small"), _ROOMY) as small:
            shutil.copytree(peace.folder, small.folder, dirs_exist_ok=True)
            small.leave(room)
            victim = Victim(peace.settings, small.folder, peace.cache)
            before = (victim.runs / "report.html").read_text()
            code, said = victim.run("report")
            wrong = complaint(code, said, allowed=[0, 2])
            if code == 2 and (victim.runs / "report.html").read_text() != before:
                wrong = wrong or "the former report was changed"
            small.enlarge()
            tally.note(wrong or complaint(*victim.run("report"), allowed=[0]))
    return tally


class _Disk:
    """A tmpfs at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def enlarge(self) -> None:
        """Make room for everything."""
        self._resize(_ROOMY)

    def leave(self, num_bytes: int) -> None:
        """Leave so much room beside what is there."""
        usage = shutil.disk_usage(self.folder)
        self._resize(usage.used + num_bytes)

    def _resize(self, num_bytes: int) -> None:
        size = f"remount,size={num_bytes}"
        subprocess.run(["mount", "-o", size, str(self.folder)], check=True)


@contextmanager
def _disk(folder: Path, num_bytes: int) -> Iterator[_Disk]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={num_bytes}", "tmpfs", str(folder)]
    subprocess.run(command, check=True)
    try:
        yield _Disk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def _num_bytes(folder: Path) -> int:
    """What it takes on a disk of pages."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return sum((file.stat().st_size // _PAGE + 1) * _PAGE for file in files)

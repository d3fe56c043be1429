"""A command behind a fence: what it gets, what it may use, and that nothing of it stays."""

import os
import sys
import time

import pytest

from nasarena.proxies.sandbox import levels
from nasarena.proxies.sandbox.levels import choose_level, why_missing
from nasarena.proxies.sandbox.limits import Level, Limits
from nasarena.proxies.sandbox.runner import Finished, Sandbox, run_command
from nasarena.search.errors import InvalidSetting

SMALL = Limits(wall_s=20, memory_mib=200, processes=64, disk_mib=16, file_mib=64, output_kib=64)


def run_python(code: str, limits: Limits = SMALL, level: Level | None = None) -> Finished:
    return run_command((sys.executable, "-I", "-S", "-c", code), limits, level)


def is_alive(process: int) -> bool:
    return os.path.exists(f"/proc/{process}")


@pytest.mark.parametrize("level", ["limits", "landlock", "sandlock"])
def test_a_command_has_a_clean_environment_and_a_folder_of_its_own(
    level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing := why_missing(level):
        pytest.skip(missing)
    monkeypatch.setenv("API_KEY", "secret")
    found = run_python(
        "import os; print('API_KEY' in os.environ, os.environ['HOME'] == os.getcwd())\n"
        "print(os.getuid(), open('/proc/self/environ').read().count('secret'))\n"
        "open('mine', 'w').write('x')",
        level=level,
    )
    assert found.ending.is_clean, found.errors
    first, user, count = found.output.decode().replace("\n", " ").rsplit(maxsplit=2)
    assert first == "False True" and user != "0" and count == "0"
    assert found.ending.level == level


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("while True: pass", "wall"),
        ("x = bytearray(150 << 20); y = bytearray(150 << 20)\nwhile True: pass", "memory"),
        ("while True: print('x' * 1000)", "output"),
    ],
)
def test_what_uses_too_much_is_ended_with_its_cause(code: str, cause: str) -> None:
    wall = Limits(**{**vars(SMALL), "wall_s": 0.5}) if cause == "wall" else SMALL
    assert run_python(code, wall).ending.cause == cause


def test_a_disk_that_is_full_is_an_error_of_the_command() -> None:
    found = run_python("f = open('big', 'wb')\nfor _ in range(64): f.write(bytes(1 << 20))")
    assert not found.ending.is_clean
    assert found.ending.cause == "disk" or "No space left" in found.errors


def test_daemons_that_left_their_session_end_with_the_command() -> None:
    found = run_python(
        "import os, time\n"
        "for _ in range(3):\n"
        "    r, w = os.pipe()\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        "            os.write(w, b'x')\n"
        "            time.sleep(60)\n"
        "        os._exit(0)\n"
        "    os.read(r, 1)\n"
        "print(os.getuid())"
    )
    assert found.ending.is_clean and found.ending.killed == 3
    user = int(found.output)
    if user != os.getuid():
        owners = [os.stat(f"/proc/{name}").st_uid for name in os.listdir("/proc") if name.isdigit()]
        assert user not in owners


def test_the_end_of_the_context_ends_the_command() -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with Sandbox((sys.executable, "-I", "-S", "-c", code), SMALL) as sandbox:
        process = int(sandbox.output.read(20))
        assert is_alive(process)
    assert not is_alive(process) and sandbox.ending.cause == "stopped"


def test_files_are_kept_only_where_they_are_plain(tmp_path: object) -> None:
    code = "import os; open('a', 'w').write('1'); os.symlink('/etc/passwd', 'b'); os.mkfifo('c')"
    command = (sys.executable, "-I", "-S", "-c", code)
    with Sandbox(command, SMALL, keep=("a", "b", "c", "d"), kept_in=str(tmp_path)) as sandbox:
        sandbox.wait(time.monotonic() + 20)
        assert sandbox.ending.kept == ("a",), sandbox.errors
    assert os.listdir(str(tmp_path)) == ["a"]


def test_a_level_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "why_missing", lambda level: "" if level == "limits" else "none")
    assert choose_level() == "limits"
    with pytest.raises(InvalidSetting, match="require_sandbox=landlock cannot be had here: none"):
        choose_level("landlock")
    with pytest.raises(InvalidSetting, match="must be one of limits"):
        choose_level("jail")
    with pytest.raises(InvalidSetting, match="needs a command line"):
        choose_level("container")


def test_a_container_is_a_command_line_before_the_command() -> None:
    command = (sys.executable, "-I", "-S", "-c", "import os; print(os.environ)")
    with Sandbox(command, SMALL, "container", container="env -i PLACE={scratch}") as sandbox:
        assert sandbox.output.read(60).startswith(b"environ({'PLACE': '/tmp/nasarena-sandbox-")
    with Sandbox(command, SMALL, "container", container="run {image}") as sandbox:
        sandbox.wait(time.monotonic() + 20)
        assert sandbox.ending.cause == "refused" and "'image'" in sandbox.ending.note

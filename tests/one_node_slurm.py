"""A Slurm of one node on this machine, for as long as a test lasts; root and slurm-wlm needed.

As a program it runs the command that it is given beside one.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import gethostname, socket

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "squeue")
_CONF = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=60
KillWait=5
SchedulerParameters=sched_interval=1,sched_min_interval=100000,batch_sched_delay=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
SlurmdParameters=config_overrides
"""


def missing_for_slurm() -> str:
    """Why no Slurm can be started here; nothing where one can."""
    if os.geteuid() != 0:
        return "starting a Slurm takes root"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    return f"{', '.join(missing)} not installed (apt install slurm-wlm)" if missing else ""


@contextmanager
def one_node_slurm(cpus: int) -> Iterator[Path]:
    """Its folder with configuration and logs; `SLURM_CONF` leads there meanwhile."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-")))
        folder.chmod(0o755)
        for name in ("state", "spool"):
            (folder / name).mkdir()
        conf, key = folder / "slurm.conf", folder / "munge.key"
        conf.write_text(
            _CONF.format(host=gethostname(), folder=folder, ports=_free_ports(), cpus=cpus)
        )
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        os.environ["SLURM_CONF"] = str(conf)
        stack.callback(os.environ.pop, "SLURM_CONF", None)
        munge = ["munged", "--foreground", "--force", f"--key-file={key}"]
        munge += [f"--{kind}-file={folder}/munge.{kind}" for kind in ("pid", "log", "seed")]
        for command in (
            [*munge, f"--socket={folder}/munge.socket"],
            ["slurmctld", "-D", "-f", str(conf)],
            ["slurmd", "-D", "-f", str(conf)],
        ):
            _start(stack, command, folder)
        _wait_until_idle(folder)
        stack.callback(_end_jobs)
        yield folder


def _start(stack: ExitStack, command: list[str], folder: Path) -> None:
    log = stack.enter_context(open(folder / f"{command[0]}.out", "wb"))
    process = subprocess.Popen(command, stdout=log, stderr=log)

    def end() -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)
    if command[0] == "munged":
        while not (folder / "munge.socket").exists():
            assert process.poll() is None, (folder / "munged.out").read_text()
            time.sleep(0.1)


def _end_jobs(timeout_s: float = 20.0) -> None:
    """Cancel what still runs, and wait for its end: a job outlives the daemons that started it."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        asked = subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, text=True)
        jobs = asked.stdout.split()
        if not jobs:
            return
        subprocess.run(["scancel", *jobs], capture_output=True)
        time.sleep(0.3)


def _free_ports() -> list[int]:
    with ExitStack() as stack:
        ends = [stack.enter_context(socket()) for _ in range(2)]
        for end in ends:
            end.bind(("127.0.0.1", 0))
        return [end.getsockname()[1] for end in ends]


def _wait_until_idle(folder: Path, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        asked = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True)
        if asked.stdout.strip() == "idle":
            return
        time.sleep(0.3)
    logs = "\n".join(file.read_text(errors="replace")[-2000:] for file in folder.glob("*.out"))
    raise RuntimeError(f"Slurm did not start: {asked.stdout} {asked.stderr}\n{logs}")


if __name__ == "__main__":
    with one_node_slurm(cpus=2):
        raise SystemExit(subprocess.run(sys.argv[1:]).returncode)

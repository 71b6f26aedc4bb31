"""A Slurm cluster of this machine alone: munged, slurmctld and two slurmd as plain processes in a folder of their own. Standard library only."""
import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "scontrol")


def missing_program():
    """The first program that is not installed, or None."""
    return next((name for name in PROGRAMS if not shutil.which(name, path=PATH)), None)


PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def free_ports(count):
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Slurm:
    """Two nodes n1 and n2 with `cpus` processors each. stop() ends every process that it started."""

    def __init__(self, folder, cpus=2):
        self.folder = Path(folder)
        self.cpus = cpus
        self.processes = []
        self.environment = {**os.environ, "PATH": PATH, "SLURM_CONF": str(self.folder / "slurm.conf")}
        self._munge()
        self._configure()
        self._start("slurmctld", "-D", "-c")
        for node in ("n1", "n2"):
            self._start("slurmd", "-D", "-N", node)
        self._wait_for_nodes()

    def _munge(self):
        self.folder.chmod(0o755)  # munged refuses a socket that others could not reach
        subprocess.run(["mungekey", "--create", "--keyfile", self.folder / "munge.key"], check=True, env=self.environment)
        self._start("munged", "--foreground", "--force", f"--key-file={self.folder}/munge.key", f"--socket={self.folder}/munge.socket",
                    f"--pid-file={self.folder}/munge.pid", f"--seed-file={self.folder}/munge.seed", f"--log-file={self.folder}/munged.log")
        self._until(lambda: (self.folder / "munge.socket").exists(), 20, "munged made no socket")

    def _configure(self):
        host, user = socket.gethostname(), getpass.getuser()
        control, first, second = free_ports(3)
        node = f"NodeHostname={host} NodeAddr=127.0.0.1 CPUs={self.cpus} RealMemory=1000 State=UNKNOWN"
        for name in ("state", "spool-n1", "spool-n2"):
            (self.folder / name).mkdir()
        # cred_expire is also how long a job that was queued again has to wait: 120 s unless said otherwise.
        (self.folder / "slurm.conf").write_text(f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={self.folder}/munge.socket,cred_expire=10
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool-%n
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd-%n.pid
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2
ReturnToService=2
KillWait=10
SlurmdParameters=config_overrides
NodeName=n1 Port={first} {node}
NodeName=n2 Port={second} {node}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
PartitionName=low Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=60
PartitionName=high Nodes=n1,n2 MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
""")

    def _start(self, *words):
        log = open(self.folder / f"{words[0]}-{len(self.processes)}.out", "w")
        self.processes.append(subprocess.Popen(words, env=self.environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True))
        log.close()

    def _until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            dead = [one.args[0] for one in self.processes if one.poll() is not None]
            if dead or time.monotonic() > end:
                said = "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in sorted(self.folder.glob("*.out")) + sorted(self.folder.glob("*.log")))
                self.stop()
                raise RuntimeError(f"{what}; ended: {dead}\n{said}")
            time.sleep(0.1)

    def _wait_for_nodes(self):
        def idle():
            asked = self.ask("scontrol", "show", "node", "-o", check=False)
            return asked.count("State=IDLE") == 2
        self._until(idle, 60, "the nodes did not come up")

    def ask(self, *words, check=True):
        """stdout of a command of Slurm."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{words}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def jobs(self, job):
        """Fields of each task of an array, by its index."""
        tasks = {}
        for line in self.ask("scontrol", "show", "job", "-o", str(job), check=False).splitlines():
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if fields.get("ArrayTaskId", "").isdigit():
                tasks[int(fields["ArrayTaskId"])] = fields
        return tasks

    def stop(self):
        """Jobs first, then the daemons, the last started first."""
        if len(self.processes) > 1 and self.processes[1].poll() is None:
            subprocess.run(["scancel", "--state=PENDING"], env=self.environment, capture_output=True, timeout=30)
            subprocess.run(["scancel", "--state=RUNNING"], env=self.environment, capture_output=True, timeout=30)
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.processes.clear()

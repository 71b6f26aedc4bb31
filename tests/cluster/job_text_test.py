"""The texts that submit writes, tried out: Slurm's script in a shell with programs that play nearfar and scontrol, Kubernetes' job against the fields of batch/v1."""
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
from support import SMOKE, Case

try:
    import yaml
except ImportError:
    yaml = None

# Fields of the objects that a Job of batch/v1 is made of (Kubernetes 1.33), by the name of their type; a list's type is that of its elements.
FIELDS = {
    "Job": {"apiVersion": str, "kind": str, "metadata": "ObjectMeta", "spec": "JobSpec"},
    "ObjectMeta": {"name": str, "namespace": str, "labels": dict, "annotations": dict, "generateName": str, "finalizers": list},
    "JobSpec": {"activeDeadlineSeconds": int, "backoffLimit": int, "backoffLimitPerIndex": int, "completionMode": str, "completions": int, "managedBy": str,
                "manualSelector": bool, "maxFailedIndexes": int, "parallelism": int, "podFailurePolicy": "PodFailurePolicy", "podReplacementPolicy": str,
                "selector": dict, "successPolicy": dict, "suspend": bool, "template": "PodTemplateSpec", "ttlSecondsAfterFinished": int},
    "PodFailurePolicy": {"rules": ["PodFailurePolicyRule"]},
    "PodFailurePolicyRule": {"action": str, "onExitCodes": "OnExitCodes", "onPodConditions": ["OnPodCondition"]},
    "OnExitCodes": {"containerName": str, "operator": str, "values": [int]},
    "OnPodCondition": {"type": str, "status": str},
    "PodTemplateSpec": {"metadata": "ObjectMeta", "spec": "PodSpec"},
    "PodSpec": {"activeDeadlineSeconds": int, "affinity": dict, "containers": ["Container"], "initContainers": ["Container"], "hostname": str, "imagePullSecrets": list,
                "nodeName": str, "nodeSelector": dict, "priorityClassName": str, "restartPolicy": str, "schedulerName": str, "securityContext": dict,
                "serviceAccountName": str, "shareProcessNamespace": bool, "terminationGracePeriodSeconds": int, "tolerations": list, "volumes": ["Volume"]},
    "Container": {"args": [str], "command": [str], "env": list, "envFrom": list, "image": str, "imagePullPolicy": str, "name": str, "ports": list,
                  "resources": "Resources", "securityContext": dict, "stdin": bool, "tty": bool, "volumeMounts": ["VolumeMount"], "workingDir": str},
    "Resources": {"claims": list, "limits": dict, "requests": dict},
    "VolumeMount": {"mountPath": str, "mountPropagation": str, "name": str, "readOnly": bool, "subPath": str},
    "Volume": {"name": str, "persistentVolumeClaim": "Claim", "emptyDir": dict, "hostPath": dict, "nfs": dict},
    "Claim": {"claimName": str, "readOnly": bool},
}
REQUIRED = {"JobSpec": {"template"}, "PodFailurePolicy": {"rules"}, "PodFailurePolicyRule": {"action"}, "OnExitCodes": {"operator", "values"},
            "OnPodCondition": {"type", "status"}, "PodSpec": {"containers"}, "Container": {"name"}, "VolumeMount": {"name", "mountPath"}, "Volume": {"name"}, "Claim": {"claimName"}}


def faults(value, kind, place="Job"):
    """What is no field of its type, of another type, or missing."""
    if isinstance(kind, list):
        if not isinstance(value, list) or not value:
            return [f"{place} is no list"]
        return [fault for index, one in enumerate(value) for fault in faults(one, kind[0], f"{place}[{index}]")]
    if isinstance(kind, type):
        good = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        return [] if good else [f"{place} is {value!r}, no {kind.__name__}"]
    if not isinstance(value, dict):
        return [f"{place} is {value!r}, no {kind}"]
    found = [f"{place}.{name} is missing" for name in REQUIRED.get(kind, set()) - value.keys()]
    for name, one in value.items():
        found += faults(one, FIELDS[kind][name], f"{place}.{name}") if name in FIELDS[kind] else [f"{place}.{name} is no field of {kind}"]
    return found


@unittest.skipIf(yaml is None, "this Python has no module yaml: apt-get install python3-yaml")
class KubernetesJob(Case):
    def job(self, *options):
        out, _ = self.nearfar("submit", SMOKE, "--launcher", "k8s", "--image", "registry.example/nearfar:1", "--workers", 4, "--print", *options)
        return yaml.safe_load(out)

    def test_every_field_is_one_of_batch_v1(self):
        for options in ([], ["--volume", "data:/data", "--namespace", "bench", "--worker-db", "/data/r.sqlite", "--jobs", 8], ["name=Odd: name #1 é"]):
            job = self.job(*options)
            self.assertEqual(faults(job, "Job"), [])
            self.assertEqual((job["apiVersion"], job["kind"]), ("batch/v1", "Job"))

    def test_the_check_finds_what_is_wrong(self):
        job = self.job()
        job["spec"]["paralelism"] = 4
        job["spec"]["completions"] = "4"
        del job["spec"]["template"]["spec"]["containers"][0]["name"]
        self.assertEqual(len(faults(job, "Job")), 3)

    def test_it_is_an_indexed_job_with_a_pod_for_each_worker(self):
        job = self.job("--volume", "data:/data", "--worker-db", "/data/r.sqlite", "--jobs", 8)
        spec, pod = job["spec"], job["spec"]["template"]["spec"]
        self.assertEqual((spec["completionMode"], spec["completions"], spec["parallelism"]), ("Indexed", 4, 4))
        # The rules of the API: backoffLimitPerIndex and a failure policy ask for Never, FailIndex for backoffLimitPerIndex, an Ignore for one of the two conditions.
        self.assertEqual(pod["restartPolicy"], "Never")
        for rule in spec["podFailurePolicy"]["rules"]:
            self.assertIn(rule["action"], ("FailJob", "FailIndex", "Ignore", "Count"))
            self.assertEqual(len({"onExitCodes", "onPodConditions"} & rule.keys()), 1)
            self.assertNotIn(0, rule.get("onExitCodes", {}).get("values", []))
        [container] = pod["containers"]
        self.assertEqual(container["command"], ["nearfar", "worker", "--db", "/data/r.sqlite", "--experiment", "smoke", "--rank-from-env", "-j", "8"])
        self.assertEqual(container["resources"]["requests"]["cpu"], "8")
        self.assertEqual(container["volumeMounts"][0]["name"], pod["volumes"][0]["name"])


class SlurmScript(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "bin").mkdir()
        self.program("scontrol", 'echo "$@" >> "$PLAYED"')
        self.program("sleep", "exit 0")
        self.played = self.folder / "played"

    def program(self, name, text):
        file = self.folder / "bin" / name
        file.write_text(f"#!/bin/bash\n{text}\n")
        file.chmod(0o755)
        return file

    def begin(self, nearfar):
        """Slurm's part: the script with its environment. Returns when the worker runs."""
        worker = self.program("nearfar", f'echo "$@" > "$PLAYED"\n{nearfar}')
        script, _ = self.nearfar("submit", SMOKE, "--launcher", "slurm", "--program", worker, "--print")
        (self.folder / "script").write_text(script)
        environment = {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "PLAYED": str(self.played), "SLURM_JOB_ID": "77", "SLURM_CPUS_PER_TASK": "3"}
        process = subprocess.Popen(["bash", self.folder / "script"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        end = time.monotonic() + 30
        while not self.played.exists() and time.monotonic() < end:
            time.sleep(0.02)
        return process

    def end(self, process):
        out, _ = process.communicate(timeout=60)
        return process.returncode, self.played.read_text().splitlines(), out

    LISTENS = "trap 'exit 2' USR2 TERM; for i in {1..600}; do /bin/sleep 0.1; done"

    def test_the_end_of_a_worker_is_the_end_of_the_job(self):
        for code in (0, 1, 2, 8):
            self.played.unlink(missing_ok=True)
            self.assertEqual(self.end(self.begin(f"exit {code}"))[0], code, "and a 2 that nobody asked for is not queued again")

    def test_the_worker_gets_the_processors_that_slurm_gave(self):
        _, played, _ = self.end(self.begin("exit 0"))
        self.assertTrue(played[0].endswith("--experiment smoke --rank-from-env -j 3"), played)
        self.assertEqual(len(played), 1)

    def test_slurms_signal_reaches_the_worker_and_the_job_is_queued_again(self):
        process = self.begin(self.LISTENS)
        time.sleep(0.3)
        process.send_signal(signal.SIGUSR2)
        code, played, out = self.end(process)
        self.assertEqual((code, played[1:]), (2, ["requeue 77"]), out)

    def test_a_second_signal_does_not_lose_the_worker(self):
        process = self.begin("n=0; trap 'n=$((n + 1))' USR2; for i in {1..20}; do /bin/sleep 0.1; done; [ $n = 2 ] && exit 2; exit 9")
        for _ in range(2):
            time.sleep(0.4)
            process.send_signal(signal.SIGUSR2)
        code, played, out = self.end(process)
        self.assertEqual((code, played[1:]), (2, ["requeue 77"]), out)

    def test_a_signal_before_the_worker_listens_costs_nothing(self):
        process = self.begin("exec /bin/sleep 30")  # the default of SIGUSR2 ends it: 128 + 12
        time.sleep(0.3)
        process.send_signal(signal.SIGUSR2)
        code, played, out = self.end(process)
        self.assertEqual((code, played[1:]), (140, ["requeue 77"]), out)

    def test_cancelled_is_not_queued_again(self):
        process = self.begin(self.LISTENS)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        code, played, out = self.end(process)
        self.assertEqual((code, played[1:]), (2, []), out)

    def test_asked_to_go_but_done_is_done(self):
        process = self.begin("trap 'exit 0' USR2; for i in {1..600}; do /bin/sleep 0.1; done")
        time.sleep(0.3)
        process.send_signal(signal.SIGUSR2)
        code, played, out = self.end(process)
        self.assertEqual((code, played[1:]), (0, []), out)

    def test_a_worker_that_is_killed_ends_the_job_with_its_signal(self):
        code, played, out = self.end(self.begin("kill -9 $$"))
        self.assertEqual((code, played[1:]), (137, []), out)


if __name__ == "__main__":
    unittest.main()

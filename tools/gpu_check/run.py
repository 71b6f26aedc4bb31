#!/usr/bin/env python3
"""The GPU check, on a machine with a GPU: the bundle of tools/gpu_check/pack and that machine's LibTorch -> one JSON.

usage: run.py BUNDLE OUT_DIR [--torch DIR] [--seconds N] [--quick] [--module FILE]   (the last two: a rehearsal on the fake device)
Steps, each with a limit of its own and its result written at once, so that a machine taken away leaves what was done:
  machine     GPU, driver, glibc, libstdc++: is LibTorch the build that ours was linked against?
  doctor      nearfar doctor
  tests       cuda_module_test: kernels, graphs and waits, which elsewhere can only be skipped
  checks      gpu-check: networks, plugins, losses, augmentation, training, graphs, throughput
  sanitizer   compute-sanitizer over the augmentation kernel, where it is there
  peer        the same training step in that machine's PyTorch, as OpenOOD has it and tuned (peer.py)
  quickstart  on the GPU and on the CPU: accuracies and AUROCs side by side
  methods     every postprocessor on the quickstart's model, on the GPU and on the CPU
Standard library only.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import time


def versions(text, prefix):
    found = [tuple(map(int, version.split("."))) for version in re.findall(prefix + r"_(\d+(?:\.\d+)+)", text)]
    return max(found) if found else ()


class Check:
    def __init__(self, args):
        self.args, self.begin, self.result = args, time.time(), {"steps": {}}
        self.bundle, self.out = args.bundle.resolve(), args.out.resolve()
        self.needs = json.loads((self.bundle / "needs.json").read_text())
        self.torch = args.torch or self.find_torch()
        self.libraries = [self.bundle / "libs", self.torch / "lib"]
        self.name, self.benchmark = ("smoke", "smoke") if args.quick else ("quickstart", "fashion-mnist")
        self.out.mkdir(parents=True, exist_ok=True)

    def left(self):
        return self.args.seconds - (time.time() - self.begin)

    def run(self, command, limit, **more):
        """Exit code, stdout, the end of stderr; 124 where it ran out of time, with what it had written."""
        def text(data):
            return data.decode(errors="replace") if isinstance(data, bytes) else data or ""

        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=max(1, min(limit, self.left())), **more)
            return done.returncode, done.stdout, done.stderr[-4000:]
        except subprocess.TimeoutExpired as end:
            return 124, text(end.stdout), "out of time; " + text(end.stderr)[-2000:]
        except OSError as error:
            return 127, "", str(error)

    def find_torch(self):
        code = "import importlib.util as u, pathlib; print(pathlib.Path(u.find_spec('torch').origin).parent)"
        return pathlib.Path(self.run([sys.executable, "-c", code], 60)[1].strip() or "torch")

    def environment(self):
        values = dict(os.environ, LD_LIBRARY_PATH=":".join(map(str, self.libraries)), OMP_NUM_THREADS="8", NEARFAR_DATA=str(self.bundle / "data"))
        if self.args.module:
            values["NEARFAR_DEVICE_MODULE"] = self.args.module
        return values

    def step(self, name, body):
        if self.left() < 5:
            found = {"ok": None, "why": "no time left"}
        else:
            start = time.time()
            try:
                found = body()
            except Exception as error:  # whatever it is, the next step may still tell something
                found = {"ok": False, "why": f"{type(error).__name__}: {error}"}
            found["seconds"] = round(time.time() - start, 2)
        self.result["steps"][name] = found
        self.save()
        print(name, json.dumps(found)[:400], flush=True)
        return found.get("ok")

    def save(self):
        self.result["seconds"] = round(time.time() - self.begin, 1)
        (self.out / "gpu_check.json").write_text(json.dumps(self.result, indent=1) + "\n")

    # ---------------------------------------------------------------------------------------------------------- steps
    def machine(self):
        ours = versions(self.needs["glibcxx"], "GLIBCXX")
        facts = {"glibc": os.confstr("CS_GNU_LIBC_VERSION"), "needs": self.needs, "cores": os.cpu_count()}
        facts["gpu"] = self.run(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"], 30)[1].strip()
        facts["same libc10"] = hashlib.sha256((self.torch / "lib/libc10.so").read_bytes()).hexdigest() == self.needs["libc10_sha256"]
        build = self.run(["readelf", "-n", str(self.torch / "lib/libtorch_cpu.so")], 60)[1]
        facts["same libtorch_cpu"] = self.needs["libtorch_cpu_build_id"] in build if build else None
        if tuple(map(int, facts["glibc"].split()[1].split("."))) < versions(self.needs["glibc"], "GLIBC"):
            return {"ok": False, "why": "this machine's glibc is older than the bundle's", **facts}
        theirs = ()
        for line in self.run(["ldconfig", "-p"], 10)[1].splitlines():
            if "libstdc++.so.6 " in line and "x86-64" in line:
                theirs = versions(pathlib.Path(line.split()[-1]).read_bytes().decode("latin1"), "GLIBCXX")
        facts["libstdc++"] = "the machine's" if theirs >= ours else "the bundle's"
        if theirs < ours:
            self.libraries.insert(0, self.bundle / "libs-fallback")
        return {"ok": facts["same libc10"] and facts["same libtorch_cpu"] is not False, **facts}

    def nearfar(self, *words):
        return [str(self.bundle / "bin/nearfar"), *words]

    def doctor(self):
        code, out, error = self.run(self.nearfar("doctor", "--json"), 60, env=self.environment())
        cuda = json.loads(out).get("engine", {}).get("cuda", {}) if out.startswith("{") else {}
        return {"ok": bool(cuda.get("usable")), "code": code, "cuda": cuda, "stderr": error[-500:]}

    def tests(self):
        code, out, error = self.run([str(self.bundle / "libexec/nearfar/cuda_module_test"), "--gtest_brief=1"], 120, env=self.environment())
        return {"ok": code == 0, "code": code, "tail": out[-3000:], "stderr": error[-800:]}

    def checks(self):
        scratch = self.out / "scratch"
        scratch.mkdir(exist_ok=True)
        command = [str(self.bundle / "libexec/nearfar/gpu-check"), str(self.bundle / "lib/nearfar/plugins"), str(scratch)]
        code, out, error = self.run(command + (["--rehearsal"] if self.args.quick else []), 240, env=self.environment())
        shutil.rmtree(scratch, ignore_errors=True)
        rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        return {"ok": code == 0, "code": code, "count": len(rows), "failed": [row for row in rows if not row["ok"]], "stderr": error[-800:],
                "throughput": {row["check"]: round(row["images per second"]) for row in rows if "images per second" in row},
                "milliseconds": {row["check"]: round(row["milliseconds"], 3) for row in rows if "milliseconds" in row}, "rows": rows}

    def sanitizer(self):
        tool = shutil.which("compute-sanitizer")
        if tool is None:
            return {"ok": None, "why": "no compute-sanitizer here"}
        command = [tool, "--tool", "memcheck", str(self.bundle / "libexec/nearfar/gpu-check"), "/nowhere", "/nowhere", "--images"]
        code, out, _ = self.run(command, 90, env=self.environment())
        return {"ok": "ERROR SUMMARY: 0 errors" in out, "code": code, "summary": [line for line in out.splitlines() if "ERROR SUMMARY" in line]}

    def peer(self):
        code, out, error = self.run([sys.executable, str(self.bundle / "peer.py")], 150)
        rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        return {"ok": code == 0, "rows": rows, "stderr": error[-500:]}

    def experiment(self, name, device, folder):
        start = time.time()
        file = self.bundle / f"share/nearfar/configs/experiments/{name}.toml"
        jobs = "1" if device == "cuda" else "8"
        command = self.nearfar("run", str(file), "--device", device, "--jobs", jobs, "--out", str(folder))
        code, out, error = self.run(command, 180, env=self.environment())
        return {"code": code, "seconds": round(time.time() - start, 1), "tail": out[-2500:], "stderr": error[-600:]}

    def quickstart(self):
        datasets = pathlib.Path("/usr/share/datasets/fashion-mnist")
        if not datasets.exists() and not self.args.quick:
            datasets.parent.mkdir(parents=True, exist_ok=True)
            datasets.symlink_to(self.bundle / "data/fashion-mnist")
        sides = {device: self.experiment(self.name, device, self.out / f"quickstart-{device}") for device in ("cuda", "cpu")}
        return {"ok": all(side["code"] == 0 for side in sides.values()), **sides}

    def methods(self):
        """The quickstart's networks were trained apart, so both sides score the one that the CPU trained."""
        folder = self.out / "quickstart-cpu"
        with sqlite3.connect(folder / "results.sqlite") as database:
            found = [folder / row[0] for row in database.execute(CHECKPOINTS)]
        if not found:
            return {"ok": False, "why": "the quickstart left no checkpoint of cross-entropy"}
        files = [file.stem for file in (self.bundle / "lib/nearfar/plugins").glob("*.so")]
        names = sorted(name.removesuffix("-postprocessor") for name in files if name not in ("ce", "supcon", "reweightood", "logitnorm") and not name.endswith("-loss"))
        config = self.bundle / "share/nearfar/configs/experiments/methods.toml"
        config.write_text(f'name = "methods"\nbenchmark = "{self.benchmark}"\npostprocessors = {json.dumps(names)}\n[model]\ncheckpoint = "{found[0]}"\n[postprocessor.vim]\ndim = 32\n')
        sides, means = {}, {}
        for device in ("cuda", "cpu"):
            folder = self.out / f"methods-{device}"
            sides[device] = self.experiment("methods", device, folder)
            means[device] = aurocs(folder)
        shared = sorted(set(means["cuda"]) & set(means["cpu"]))
        apart = {key: abs(means["cuda"][key] - means["cpu"][key]) for key in shared}
        worst = sorted(apart.items(), key=lambda item: -item[1])[:8]
        return {"ok": all(side["code"] == 0 for side in sides.values()) and bool(shared), "cells": len(shared),
                "worst": {" ".join(key): value for key, value in worst}, **sides}

    def all(self):
        self.step("machine", self.machine)
        if self.step("doctor", self.doctor):
            if not self.args.module:
                self.step("tests", self.tests)
            self.step("checks", self.checks)
            self.step("sanitizer", self.sanitizer)
            self.step("quickstart", self.quickstart)
            self.step("methods", self.methods)
            if not self.args.quick:
                self.step("peer", self.peer)
        for folder in self.out.glob("*-c*"):
            shutil.rmtree(folder, ignore_errors=True)
        steps = self.result["steps"]
        self.result["ok"] = all(step.get("ok") is not False for step in steps.values()) and bool(steps["doctor"].get("ok"))
        self.save()
        return 0 if self.result["ok"] else 1


CHECKPOINTS = """SELECT artifact.path FROM artifact JOIN run ON run.uid = artifact.run_uid JOIN cell ON cell.key = run.cell_key
                 WHERE cell.training = 'ce' AND artifact.name = 'checkpoint' ORDER BY cell.label"""
AUROCS = """SELECT cell.postprocessor, metric.dataset, metric.value_fraction FROM v_valid_cell AS cell
            JOIN metric ON metric.run_uid = cell.run_uid WHERE metric.metric = 'auroc' AND metric.set_group <> 'mean'"""


def aurocs(folder):
    """(postprocessor, image set) -> AUROC, of a run's database."""
    with sqlite3.connect(folder / "results.sqlite") as database:
        return {(name, image_set): value for name, image_set, value in database.execute(AUROCS)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--torch", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=530)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--module", help="another device module, for a rehearsal")
    return Check(parser.parse_args()).all()


if __name__ == "__main__":
    sys.exit(main())

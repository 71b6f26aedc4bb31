"""The GPU check (tools/gpu_check) rehearsed: packed, and run on the fake device with LibTorch's CPU half in place of a PyTorch."""
import json
import os
import pathlib
import subprocess
import sys
import unittest

from support import PROGRAM, SOURCE, Case

BUILD = pathlib.Path(PROGRAM).parent.parent


class Rehearsal(Case):
    def test_the_bundle_runs_and_everything_equals_the_cpu(self):
        bundle, out = self.folder / "bundle", self.folder / "out"
        subprocess.run([SOURCE / "tools/gpu_check/pack", BUILD, bundle], check=True, capture_output=True, env={**os.environ, "NEARFAR_DATA": str(self.folder)})
        size = sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())
        self.assertLess(size, 120 << 20)
        libraries = subprocess.run(["ldd", BUILD / "libexec/nearfar/nearfar-engine"], check=True, capture_output=True, text=True).stdout
        torch = next(pathlib.Path(line.split()[2]).parent.parent for line in libraries.splitlines() if "libc10.so" in line)
        command = [sys.executable, bundle / "run.py", bundle, out, "--quick", "--module", os.environ["NEARFAR_FAKE_MODULE"], "--torch", torch, "--seconds", "900"]
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True, env={**os.environ, "OMP_WAIT_POLICY": "passive"})
        found = json.loads((out / "gpu_check.json").read_text())
        steps = found["steps"]
        self.assertEqual(run.returncode, 0, json.dumps({name: step for name, step in steps.items() if not step.get("ok")}, indent=1)[:6000])
        self.assertEqual(sorted(steps), ["checks", "doctor", "machine", "methods", "quickstart", "sanitizer"])
        self.assertEqual(steps["checks"]["failed"], [])
        self.assertGreater(steps["checks"]["count"], 50)
        self.assertEqual(set(steps["methods"]["worst"].values()), {0.0})
        self.assertGreater(steps["methods"]["cells"], 38)


if __name__ == "__main__":
    unittest.main()

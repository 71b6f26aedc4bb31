"""check_layers.py must find each kind of wrong include in a small tree made for it, and nothing in a right one."""
import subprocess
import sys
import tempfile
from pathlib import Path

script = Path(sys.argv[1]) / "tools/check_layers.py"
cases = {  # file, include, must it be refused?
    "a metric that reads the store": ("harness/metrics/x.cpp", '#include "store/store.h"', True),
    "torch in a torch-free folder": ("harness/report/x.cpp", "#include <ATen/core/Tensor.h>", True),
    "torch/torch.h in a header": ("harness/models/x.h", "#include <torch/nn.h>", True),
    "torch/torch.h outside models and train": ("harness/engine/x.cpp", "#include <torch/torch.h>", True),
    "all of ATen": ("harness/host/x.cpp", "#include <ATen/ATen.h>", True),
    "a plugin that looks into the harness": ("plugins/losses/x/x.cpp", '#include "base/text.h"', True),
    "a torch SDK header in config": ("harness/config/x.h", "#include <nearfar/loss.h>", True),
    "a folder nobody knows": ("harness/misc/x.h", "#include <vector>", True),
    "an operator of the kernels in data": ("harness/data/x.cpp", '#include "kernels/augment.h"', True),
    "a kernels' body in report": ("harness/report/x.cpp", '#include "kernels/augment_body.h"', True),
    "a kernels' body in data": ("harness/data/x.cpp", '#include "kernels/augment_body.h"', False),
    "nn in a models source": ("harness/models/x.cpp", "#include <torch/nn.h>", False),
    "parameters in config": ("harness/config/x.h", "#include <nearfar/params.h>", False),
    "a report that reads the store": ("harness/report/x.cpp", '#include "store/store.h"', False),
}
failed = 0
for name, (file, line, refused) in cases.items():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for other in ("harness/store/store.h", "harness/base/text.h", "harness/kernels/augment.h", "harness/kernels/augment_body.h", file):
            (root / other).parent.mkdir(parents=True, exist_ok=True)
            (root / other).write_text("")
        (root / file).write_text(line + "\n")
        run = subprocess.run([sys.executable, str(script), str(root)], capture_output=True, text=True)
        if (run.returncode != 0) != refused or (refused and file not in run.stdout):
            failed += 1
            print(f"wrong on: {name}\n{run.stdout}")
sys.exit(failed)

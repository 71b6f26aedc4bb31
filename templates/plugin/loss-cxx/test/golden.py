"""At temperature 1 the loss is cross-entropy, so a training with it must end with the scores of one with `ce`, to the byte.
When the formula becomes yours, put what is known of it here. golden.py NEARFAR PLUGIN_FOLDER; standard library only."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

experiment = Path(__file__).resolve().parent.parent / "experiment.toml"
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.argv[1], "run", experiment, "--out", folder, "--plugin-dir", sys.argv[2], "postprocessors=msp"], check=True)
    status = subprocess.run([sys.argv[1], "status", "--all", "--json", "--out", folder], check=True, capture_output=True, text=True).stdout
    folders = {cell["label"].split("/")[0]: Path(folder) / "cells" / cell["key"][:16]
               for cell in json.loads(status)["cells"] if cell["label"].endswith(" msp")}
    scores = {loss: (path / "scores/test.npy").read_bytes() for loss, path in folders.items()}

if sorted(scores) != sorted(["ce", "<%name%>"]):
    sys.exit(f"found scores of {sorted(scores)}, expected those of ce and <%name%>")
if scores["ce"] != scores["<%name%>"]:
    sys.exit("found other scores than those of ce, expected the same")

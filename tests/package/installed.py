"""nearfar as `cmake --install` makes it, and the surroundings of a stranger who uses it. Standard library only."""
import os
import subprocess
from pathlib import Path

SOURCE, BUILD = Path(os.environ["NEARFAR_SOURCE"]), Path(os.environ["NEARFAR_BUILD"])
TORCH = Path(os.environ["NEARFAR_TORCH"]).resolve().parent.parent
CMAKE = Path(os.environ["NEARFAR_CMAKE"])


def install(prefix):
    subprocess.run([CMAKE, "--install", BUILD, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)


def surroundings(prefix):
    """Environment of a person with the package in PATH, the compiler that nearfar was built with, and no setting of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEARFAR_") and name not in ("LD_LIBRARY_PATH", "CMAKE_PREFIX_PATH")}
    path = os.pathsep.join([str(prefix / "bin"), str(CMAKE.parent), kept["PATH"]])
    return {**kept, "PATH": path, "CXX": os.environ["NEARFAR_CXX"], "NO_COLOR": "1", "NEARFAR_TORCH_DIR": str(TORCH)}


def execute(prefix, folder, *words):
    """What the command prints in `folder`, in a stranger's surroundings; AssertionError with all of it if the command fails."""
    done = subprocess.run([str(word) for word in words], cwd=folder, env=surroundings(prefix), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600)
    if done.returncode != 0:
        raise AssertionError(f"{Path(folder).name}: {' '.join(map(str, words))} ended with {done.returncode}\n{done.stdout}")
    return done.stdout

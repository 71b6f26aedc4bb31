"""Installs the product into a folder with spaces, moves it, and uses it as a stranger does: program, plugins from outside, LibTorch or none.
Standard library, CMake and readelf only."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from installed import BUILD, CMAKE, SOURCE, TORCH, install, surroundings

PLUGIN = """
#include <nearfar/plugin.h>
namespace {
class Negated final : public nearfar::Postprocessor {
 public:
  explicit Negated(const nearfar::Params&) {}
  at::Tensor score(const nearfar::FeatureBatch& batch) const override { return batch.logits.amax(1).neg(); }
};
}  // namespace
NEARFAR_POSTPROCESSOR(Negated, .name = "negated-max", .version = "1.0.0", .summary = "largest logit, negated", .reference = "none",
                      .needs = nearfar::kLogits)
"""
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES CXX)
find_package(nearfar 1 CONFIG REQUIRED)
nearfar_add_plugin(negated-max KIND postprocessor SOURCES plugin.cpp)
"""
WITHOUT_TORCH = """
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES CXX)
find_package(nearfar 1 CONFIG REQUIRED)
add_library(view MODULE view.cpp)
target_link_libraries(view PRIVATE nearfar::sdk_c)
"""


def elf_files(folder):
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


class Package(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="nearfar package "))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        first = cls.folder / "first place"
        install(first)
        cls.prefix = cls.folder / "moved here"
        first.rename(cls.prefix)
        cls.first = first

    def environment(self, **changes):
        return {**surroundings(self.prefix), "OMP_NUM_THREADS": "1", **changes}

    def run_in(self, folder, *command, code=0, **environment):
        folder.mkdir(exist_ok=True)
        done = subprocess.run([str(word) for word in command], cwd=folder, env=self.environment(**environment), capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, code, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def nearfar(self, *words, code=0, folder="work", **environment):
        return self.run_in(self.folder / folder, self.prefix / "bin/nearfar", *words, code=code, **environment)

    def put_where_fetched(self, name, folder):
        """As if the installation's fetch_libtorch had fetched it."""
        link = self.prefix / "lib/nearfar" / name
        link.symlink_to(folder.resolve())
        self.addCleanup(link.unlink)

    def configure(self, name, project, files, code=0, **environment):
        folder = self.folder / name
        folder.mkdir()
        (folder / "CMakeLists.txt").write_text(project)
        for file, text in files.items():
            (folder / file).write_text(text)
        return folder, self.run_in(folder, CMAKE, "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}",
                                   f"-DCMAKE_CXX_COMPILER={os.environ['NEARFAR_CXX']}", "-DCMAKE_BUILD_TYPE=Release", code=code, **environment)

    def test_only_the_product_is_installed(self):
        self.assertEqual(sorted(path.name for path in self.prefix.iterdir()), ["bin", "include", "lib", "libexec", "share"])
        self.assertEqual(sorted(path.name for path in (self.prefix / "bin").iterdir()), ["nearfar"])
        built = {path.name for path in (BUILD / "lib/nearfar/plugins").glob("*.so")}
        self.assertEqual({path.name for path in (self.prefix / "lib/nearfar/plugins").iterdir()}, built)
        headers = {str(path.relative_to(SOURCE / "harness/sdk")) for path in (SOURCE / "harness/sdk").rglob("*.h")}
        self.assertEqual({str(path.relative_to(self.prefix / "include")) for path in (self.prefix / "include").rglob("*.h")}, headers)
        for name in ("README.md", "LICENSE", "THIRD_PARTY.md", "docs/install.md"):
            self.assertTrue((self.prefix / "share/doc/nearfar" / name).is_file(), name)

    def test_no_file_names_a_folder_of_the_build(self):
        forbidden = [str(folder).encode() for folder in (SOURCE, BUILD, TORCH, self.first, Path.home()) if len(str(folder)) > 1]
        found = []
        for path in self.prefix.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                found += [f"{path.relative_to(self.prefix)}: {folder.decode()}" for folder in forbidden if folder + b"/" in content]
        self.assertEqual(found, [])

    def test_libraries_are_looked_for_beside_the_program(self):
        for path in elf_files(self.prefix):
            dynamic = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True).stdout
            for line in re.findall(r"\((RPATH|RUNPATH)\).*\[(.*)\]", dynamic):
                self.assertEqual(line[0], "RUNPATH", path)
                for part in line[1].split(":"):
                    self.assertTrue(part.startswith("$ORIGIN/"), f"{path}: {line}")

    def test_a_plugin_from_outside_is_built_found_and_loaded(self):
        folder, _ = self.configure("a plugin", PROJECT, {"plugin.cpp": PLUGIN})
        self.run_in(folder, CMAKE, "--build", folder / "build")
        self.assertTrue((folder / "build/plugins/negated-max.so").is_file())
        out, _ = self.nearfar("list", "postprocessors", "--json", "--plugin-dir", folder / "build/plugins")
        self.assertIn("negated-max", [plugin["name"] for plugin in json.loads(out)])

    def test_without_libtorch_the_package_is_found_and_says_what_is_missing(self):
        nowhere = str(self.folder / "nowhere")
        folder, _ = self.configure("no torch", WITHOUT_TORCH, {"view.cpp": "#include <nearfar/error.h>\nint view() { return 1; }\n"},
                                   NEARFAR_TORCH_DIR=nowhere)
        self.run_in(folder, CMAKE, "--build", folder / "build", NEARFAR_TORCH_DIR=nowhere)
        _, (_, err) = self.configure("no torch exact", PROJECT, {"plugin.cpp": PLUGIN}, code=1, NEARFAR_TORCH_DIR=nowhere)
        text = " ".join(err.split())
        self.assertIn("nearfar_add_plugin(negated-max): LibTorch was not found", text)
        self.assertIn(str(self.prefix / "libexec/nearfar/fetch_libtorch"), text)

    def test_a_kind_that_does_not_exist_is_refused(self):
        _, (_, err) = self.configure("bad kind", PROJECT.replace("KIND postprocessor", "KIND metric"), {"plugin.cpp": PLUGIN}, code=1)
        self.assertIn("KIND is 'metric'; expected postprocessor or loss", " ".join(err.split()))

    def test_a_missing_libtorch_is_told_by_every_verb_that_starts_the_engine(self):
        nowhere = str(self.folder / "nowhere")
        for words in (["list", "postprocessors"], ["run", "smoke"], ["list", "models"]):
            _, err = self.nearfar(*words, code=3, NEARFAR_TORCH_DIR=nowhere)
            self.assertIn(f"LibTorch is missing: found no lib/libtorch_cpu.so in {nowhere} (NEARFAR_TORCH_DIR)", err)
            self.assertIn(f"run '{self.prefix}/libexec/nearfar/fetch_libtorch'", err)
        _, err = self.nearfar("list", "models", code=3, NEARFAR_TORCH_DIR="")
        self.assertIn(f"in {self.prefix}/lib/nearfar/torch", err)
        self.nearfar("--version", NEARFAR_TORCH_DIR=nowhere)
        self.nearfar("list", "benchmarks", NEARFAR_TORCH_DIR=nowhere)

    def test_another_version_of_libtorch_is_refused(self):
        other = self.folder / "other torch"
        (other / "lib").mkdir(parents=True)
        (other / "lib/libtorch_cpu.so").touch()
        (other / "version.py").write_text("__version__ = '1.2.3+cpu'\n")
        _, err = self.nearfar("list", "models", code=3, NEARFAR_TORCH_DIR=str(other))
        self.assertRegex(err, r"other torch: LibTorch is of version 1\.2\.3; this nearfar was built with \d+\.\d+\.\d+ and runs with no other; run '")

    def test_libtorch_beside_the_installation_is_found(self):
        self.put_where_fetched("torch", TORCH)
        out, _ = self.nearfar("list", "postprocessors", "--json", NEARFAR_TORCH_DIR="")
        self.assertIn("knn", [plugin["name"] for plugin in json.loads(out)])

    def complete(self, *words):
        """What bash offers for the last word, by the installed script."""
        script = f"""
            source "{self.prefix}/share/bash-completion/completions/nearfar"
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _nearfar 2>/dev/null
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        out, _ = self.run_in(self.folder / "work", "bash", "-c", script, "bash", self.prefix / "bin/nearfar", *words)
        return out.split()

    def test_bash_completes_verbs_options_and_values(self):
        self.assertEqual(self.complete("repo"), ["report"])
        self.assertIn("leaderboard", self.complete("report", ""))
        self.assertEqual(self.complete("list", "po"), ["postprocessors"])
        self.assertEqual(self.complete("run", "quickstart-a"), ["quickstart-ablation"])
        self.assertEqual(self.complete("score", "rmd"), ["rmds"])
        self.assertEqual(self.complete("data", "check", "imagenet2"), ["imagenet200"])
        self.assertEqual(self.complete("--log", "w"), ["warn"])
        self.assertEqual(self.complete("run", "--dry"), ["--dry-run"])
        (self.folder / "work").mkdir(exist_ok=True)
        (self.folder / "work/scores.npy").touch()
        self.assertEqual(self.complete("metrics", "--id", "sco"), ["scores.npy"])
        self.assertNotIn("completion", self.complete(""))

    def test_other_shells_read_their_completions(self):
        read = 0
        for shell, file, arguments in (("zsh", "zsh/site-functions/_nearfar", ["-n"]), ("fish", "fish/vendor_completions.d/nearfar.fish", ["--no-execute"])):
            if shutil.which(shell):
                read += 1
                self.run_in(self.folder / "work", shell, *arguments, self.prefix / "share" / file)
        if shutil.which("fish"):
            out, _ = self.run_in(self.folder / "work", "fish", "--no-config", "-c",
                                 f"source '{self.prefix}/share/fish/vendor_completions.d/nearfar.fish'; complete -C 'nearfar report lea'")
            self.assertTrue(out.startswith("leaderboard\t"), out)
        if not read:
            self.skipTest("neither zsh nor fish is installed (./run test -L package installs them)")

    def test_every_verb_has_a_manual_page_that_groff_reads(self):
        pages = {path.name for path in (self.prefix / "share/man/man1").iterdir()}
        self.assertTrue({"nearfar.1", "nearfar-run.1", "nearfar-report.1", "nearfar-report-leaderboard.1", "nearfar-plugin-path.1"} <= pages, pages)
        out, _ = self.nearfar("man", "report", "leaderboard")
        self.assertEqual(out, (self.prefix / "share/man/man1/nearfar-report-leaderboard.1").read_text())
        self.nearfar("man", "nothing", code=4)
        if not shutil.which("groff"):
            self.skipTest("no groff (./run test -L package installs it)")
        for name in sorted(pages):
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", self.prefix / "share/man/man1" / name], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)

    def test_the_quickstart_is_evaluated(self):
        if not Path("/usr/share/datasets/fashion-mnist").is_dir():
            self.skipTest("needs the Debian package dataset-fashion-mnist")
        data = Path(os.environ.get("NEARFAR_DATA") or TORCH.parent / "data")
        if not (data / "mnist-5k").is_dir():
            self.skipTest(f"no digits in {data}: tools/fetch_libtorch fetches them")
        self.put_where_fetched("torch", TORCH)
        self.put_where_fetched("data", data)
        self.nearfar("run", "quickstart", "losses=[ce]", "seeds=[0]", "train.epochs=1", "--out", "out", folder="quickstart", NEARFAR_TORCH_DIR="")
        board = (self.folder / "quickstart/out/leaderboard.csv").read_text()
        for name in ("msp", "knn", "mds"):
            self.assertIn(name, board)


if __name__ == "__main__":
    unittest.main()

"""`nearfar plugin inspect`: what a plugin's file says, and the verdict, with none of its code run."""
import json
import os
import shutil
import subprocess
import unittest
from pathlib import Path

from support import BAD_PLUGINS, PROGRAM, Case

PLUGINS = Path(PROGRAM).parent.parent / "lib/nearfar/plugins"


class PluginInspect(Case):
    def inspect(self, plugin, *options, code=0, **environment):
        return self.nearfar("plugin", "inspect", plugin, *options, code=code, **environment)[0]

    def verdict(self, plugin, code=7):
        return json.loads(self.inspect(plugin, "--json", code=code))["verdict"]

    def test_a_plugin_by_its_name(self):
        out = self.inspect("knn")
        for part in ("knn 1.0.0: postprocessor of tier exact", "arXiv:2204.06507", "features, train", "integer", "50", "nearfar_plugin_info", "libtorch_cpu.so",
                     "this installation takes it"):
            self.assertIn(part, out)

    def test_json_has_everything(self):
        found = json.loads(self.inspect(PLUGINS / "knn.so", "--json"))
        self.assertEqual((found["tier"], found["kind"], found["name"], found["needs"]), ("exact", "postprocessor", "knn", ["features", "train"]))
        self.assertEqual(found["params"][0], {"name": "k", "type": "integer", "default": 50, "minimum": 1, "maximum": found["params"][0]["maximum"],
                                              "help": "which nearest train image counts"})
        self.assertEqual(found["elf"]["exports"], ["nearfar_plugin_info"])
        self.assertEqual(found["runs_on"]["only"], found["build_tag"]["torch"])
        self.assertEqual(found["verdict"], {"taken": True})
        self.assertEqual(found["sha256"], subprocess.run(["sha256sum", PLUGINS / "knn.so"], capture_output=True, text=True).stdout[:64])

    def test_the_search_path_comes_in_its_order(self):
        mine = self.folder / "mine"
        mine.mkdir()
        shutil.copy(PLUGINS / "msp.so", mine / "other-name.so")
        for options, environment in ((("--plugin-dir", mine), {}), ((), {"NEARFAR_PLUGIN_PATH": str(mine)})):
            self.assertEqual(json.loads(self.inspect("msp", "--json", *options, **environment))["file"], str(mine / "other-name.so"))
        err = self.nearfar("plugin", "inspect", "knnn", code=4)[1]
        self.assertIn("did you mean 'knn'?", err)

    def test_what_is_refused_says_found_wanted_and_fix(self):
        for name, found in {"wrong_tag": "torch is '1.0.0'", "wrong_api": "plugin API 999", "no_entry": "no note of nearfar", "refused/unknown_tier": "tier is 'd'",
                            "refused/extra_export": "exports 'helper'", "refused/missing_entry": "exports no symbol", "refused/missing_library": "libnearfar_absent.so.1",
                            "refused/missing_symbol": "torch_from_the_future", "refused/newer_abi": "plugin ABI 2", "refused/torch_in_c": "tier c and takes"}.items():
            verdict = self.verdict(BAD_PLUGINS / f"{name}.so")
            self.assertFalse(verdict["taken"])
            self.assertIn(found, verdict["found"])
            self.assertTrue(verdict["wanted"] and verdict["fix"], name)
            out = self.inspect(BAD_PLUGINS / f"{name}.so", code=7)
            for part in ("refused by this installation", "  found", "  wanted", "  fix"):
                self.assertIn(part, out)

    def test_what_is_no_library(self):
        whole = (PLUGINS / "msp.so").read_bytes()
        (self.folder / "cut.so").write_bytes(whole[:5000])
        (self.folder / "text.so").write_text("text")
        (self.folder / "riscv.so").write_bytes(whole[:18] + b"\xf3\x00" + whole[20:])
        (self.folder / "one.so").symlink_to("two.so")
        (self.folder / "two.so").symlink_to("one.so")
        os.mkfifo(self.folder / "pipe.so")
        for name, found in {"cut": "is truncated", "text": "not an ELF library", "riscv": "made for RISC-V", "one": "loop of symbolic links", "pipe": "is a pipe",
                            "missing": "no such file"}.items():
            self.assertIn(found, self.verdict(self.folder / f"{name}.so")["found"])

    def test_no_code_of_the_plugin_runs(self):
        source = self.folder / "loud.cpp"
        source.write_text('#include <cstdlib>\n__attribute__((constructor)) static void loud() { std::abort(); }\n'
                          'extern "C" __attribute__((visibility("default"))) const void* nearfar_plugin_v1() { return nullptr; }\n'
                          'struct Note { unsigned a, b, c; char owner[8]; char text[72]; };\n'
                          '__attribute__((section(".note.nearfar"), used, aligned(4))) static const Note note = {8, 67, 1, "nearfar",\n'
                          '"note=1\\0tier=c\\0kind=postprocessor\\0name=loud\\0version=1\\0abi=1\\0needs=1"};\n')
        library = self.folder / "loud.so"
        subprocess.run(["c++", "-shared", "-fPIC", "-fvisibility=hidden", source, "-o", library], check=True)
        self.assertIn("loud 1: postprocessor of tier c", self.inspect(library))


if __name__ == "__main__":
    unittest.main()

"""nearfar plugin bench and the comparison of its documents: structure, pairing and refusals. No time is judged."""
import copy
import json
import os
import unittest
from support import PROGRAM, SOURCE, Case
from pathlib import Path

PLUGINS = Path(os.environ.get("NEARFAR_PLUGINS", Path(PROGRAM).parent.parent / "lib/nearfar/plugins"))
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None)}
KNOWN = {"$schema", "$id", "$defs", "title", "description", "type", "required", "properties", "const", "enum", "items", "$ref", "minimum", "maximum"}


def faults(value, schema, root, path="$"):
    """What a document has other than its schema says. A word of the schema that is not known here is a fault, too."""
    for word in set(schema) - KNOWN:
        yield f"{path}: the schema's '{word}' is not checked"
    if "$ref" in schema:
        yield from faults(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, path)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and (isinstance(value, bool) or not any(isinstance(value, TYPES[kind]) for kind in kinds)):
        yield f"{path}: {value!r} is no {kinds}"
        return
    if "const" in schema and value != schema["const"] or "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r}"
    if isinstance(value, (int, float)) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{path}: {value} is out of range"
    if isinstance(value, dict):
        yield from (f"{path}.{name}: is missing" for name in schema.get("required", []) if name not in value)
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from faults(value[name], part, root, f"{path}.{name}")
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), root, f"{path}[{i}]")


class PluginBench(Case):
    def bench(self, *arguments, code=0):
        return self.nearfar("plugin", "bench", *arguments, "--plugin-dir", PLUGINS, "--threads", "1", code=code)

    def document(self, *arguments):
        return json.loads(self.bench(*arguments, "--json")[0])

    def write(self, name, document):
        path = self.folder / name
        path.write_text(json.dumps(document))
        return path

    def slower(self, document, factor):
        other = copy.deepcopy(document)
        for size in other["sizes"]:
            for measure in size["measures"]:
                measure["subject"]["seconds"] = [factor * s for s in measure["subject"]["seconds"]]
        return other

    def test_documents_are_what_their_schema_says(self):
        schema = json.loads((SOURCE / "reports/schemas/plugin-bench-1.schema.json").read_text())
        for arguments, kind, names, reference in (
                (("msp", "--sizes", "60x8x3x50"), "features", ["score"], "msp"),
                (("mds", "--sizes", "60x8x3x50"), "features", ["fit", "score"], "knn"),
                (("ce", "--sizes", "12x8x3"), "batch", ["forward", "step"], "ce"),
                (("supcon", "--sizes", "12x8x3"), "batch", ["forward", "step"], "supcon")):
            extra = ("--against-param", "k=5") if reference == "knn" else ()
            document = self.document(*arguments, *extra, "--repeat", "3")
            self.assertEqual(list(faults(document, schema, schema)), [])
            self.assertEqual((document["input"], document["reference"]["name"]), (kind, reference))
            (size,) = document["sizes"]
            self.assertEqual([measure["measure"] for measure in size["measures"]], names)
            for measure in size["measures"]:
                self.assertEqual([len(measure[side]["seconds"]) for side in ("subject", "reference")], [3, 3])
        self.assertTrue(list(faults({**document, "version": 2}, schema, schema)))  # the check can fail

    def test_the_ratio_is_made_pair_by_pair(self):
        document = self.document("knn", "--against", PLUGINS / "msp.so", "--sizes", "60x8x3x50", "-p", "k=5", "--repeat", "5")
        self.assertEqual(document["subject"]["params"], "k=5")
        fit, score = document["sizes"][0]["measures"]
        self.assertIsNone(fit["reference"])  # msp has nothing to fit
        self.assertIsNone(fit["ratio"])
        ratios = sorted(a / b for a, b in zip(score["subject"]["seconds"], score["reference"]["seconds"]))
        self.assertAlmostEqual(score["ratio"]["estimate"], ratios[2])
        self.assertAlmostEqual(score["ratio"]["coverage"], 1 - 2 / 2 ** 5)

    def test_a_method_that_looks_inside_is_measured_on_images(self):
        document = self.document("odin", "--sizes", "10x2", "--repeat", "1")
        self.assertEqual([m["measure"] for m in document["sizes"][0]["measures"]], ["observe", "score"])

    def test_refusals_say_what_is_wrong(self):
        self.assertIn("--kind", self.bench("reweightood", "--sizes", "12x8x3", code=4)[1])
        self.assertIn("BATCHxWIDTHxCLASSES", self.bench("ce", "--sizes", "12x8", code=4)[1])
        self.assertIn("one kind", self.bench("msp", "--against", PLUGINS / "ce.so", code=4)[1])
        self.assertIn("stands twice", self.bench("ce", "--sizes", "small,64x64x10", code=4)[1])
        self.assertIn("not done after", self.bench("knn", "--sizes", "small", "--timeout", "0.001", code=7)[1])
        self.bench(self.folder / "none.so", code=7)

    def test_documents_are_compared(self):
        base = self.document("msp", "--sizes", "60x8x3x50")
        for number, second in enumerate((1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06)):  # of a quiet machine
            for side in ("subject", "reference"):
                base["sizes"][0]["measures"][0][side]["seconds"][number] = second if side == "subject" else 1.0
        a = self.write("a.json", base)
        out, _ = self.nearfar("compare", a, a)
        self.assertIn("no change shown", out)
        b = self.write("b.json", self.slower(base, 2))
        self.assertIn("B is slower", self.nearfar("compare", a, b, code=1)[0])
        self.assertIn("B is faster", self.nearfar("compare", b, a)[0])
        self.nearfar("compare", a, b, "--threshold", "1.5")
        document = json.loads(self.nearfar("compare", a, b, "--json", code=1)[0])
        self.assertTrue(document["regression"] and document["rows"][0]["by_reference"])
        self.assertAlmostEqual(document["rows"][0]["ratio"]["estimate"], 2)
        other = copy.deepcopy(base)
        other["machine"]["threads"] = 64
        c = self.write("c.json", other)
        self.assertIn("threads: 1 and 64", self.nearfar("compare", a, c, code=4)[1])
        self.assertIn("Not alike: threads", self.nearfar("compare", a, c, "--force")[0])
        other["sizes"][0]["measures"][0]["subject"]["seconds"][0] = -1
        self.assertIn("seconds", self.nearfar("compare", a, self.write("d.json", other), code=6)[1])
        self.assertIn("is not", self.nearfar("compare", a, "ce", code=4)[1])


if __name__ == "__main__":
    unittest.main()

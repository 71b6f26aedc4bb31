"""Figures of a leaderboard and the page of a cell, as files: every SVG is XML and stands alone, every picture is a PNG of the image it names."""
import base64
import csv
import io
import json
import re
import unittest
import xml.etree.ElementTree as xml
from support import SMOKE, Case

SVG = "{http://www.w3.org/2000/svg}"


class Figures(Case):
    def svgs(self, folder):
        """By name, each looked at."""
        files = sorted((self.folder / folder).glob("*.svg"))
        for file in files:
            root = xml.parse(file).getroot()
            self.assertEqual(root.tag, SVG + "svg", file.name)
            self.assertEqual(root.get("role"), "img")
            self.assertTrue(root.find(SVG + "title").text)
            self.assertTrue(root.find(SVG + "desc").text)
            self.assertEqual([e.tag for e in root.iter() if e.tag in (SVG + "script", SVG + "image", SVG + "a")], [])
            rows = list(csv.reader(io.StringIO(file.with_suffix(".csv").read_text())))
            self.assertGreater(len(rows), 1, file.name)
            self.assertEqual({len(row) for row in rows}, {len(rows[0])}, file.name)
        return [file.stem for file in files]

    def test_leaderboard_and_cell(self):
        self.run_smoke("seeds=0,1")
        where = ("--out", self.folder / "out")
        out, _ = self.nearfar("report", "leaderboard", "--svg", self.folder / "figures", *where)
        names = self.svgs("figures")
        for figure in ("near-far", "cost", "sets", "ranks", "scores", "training-loss", "training-accuracy"):
            self.assertIn(f"smoke-ood-{figure}", names)
        self.assertTrue(any(name.startswith("smoke-ood-roc-near-") for name in names), names)
        for name in names:
            self.assertIn(f"wrote {self.folder / 'figures' / name}.svg\n", out)
        again = self.folder / "again"
        self.nearfar("report", "leaderboard", "--svg", again, *where)
        for file in again.iterdir():
            self.assertEqual(file.read_bytes(), (self.folder / "figures" / file.name).read_bytes(), file.name)

        label = "ce/resnet8/s0 knn"
        document = json.loads(self.nearfar("report", "cell", label, "--json", *where)[0])
        confused = document["most_confused"]
        self.assertEqual([image["set"] for image in confused["in_distribution"]], ["test"] * 12)
        scores = [image["score"] for image in confused["in_distribution"]]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertEqual(document["notes"], [])
        text, _ = self.nearfar("report", "cell", label, *where)
        self.assertIn("most confused", text)
        self.nearfar("report", "cell", label, "--html", self.folder / "cell.html", "--svg", self.folder / "cell", *where)
        self.assertTrue(any(re.fullmatch("ce-resnet8-s0-knn-[0-9a-f]{8}-roc", name) for name in self.svgs("cell")))
        html = (self.folder / "cell.html").read_text()
        pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
        self.assertEqual(len(pictures), 24)
        for picture in pictures:
            self.assertTrue(base64.b64decode(picture).startswith(b"\x89PNG"))
        self.assertEqual(re.findall(r'(?:src|href)="(?!data:)', html), [])
        self.assertNotIn("<script", html)

    def test_a_training_has_its_curves_and_no_scores(self):
        self.run_smoke("losses=ce", "postprocessors=msp")
        where = ("--out", self.folder / "out")
        self.nearfar("report", "cell", "ce/resnet8/s0", "--svg", self.folder / "cell", *where)
        names = self.svgs("cell")
        self.assertTrue(any(name.startswith("ce-resnet8-s0-") and name.endswith("-training-loss") for name in names), names)
        self.assertFalse(any(name.endswith("-roc") for name in names), names)

    def test_scores_that_are_gone_are_told(self):
        self.run_smoke("losses=ce", "postprocessors=msp")
        for file in (self.folder / "out/cells").rglob("*.npy"):
            file.unlink()
        document = json.loads(self.nearfar("report", "cell", "ce/resnet8/s0 msp", "--json", "--out", self.folder / "out")[0])
        self.assertIn("No ROC, no histograms, no images", document["notes"][0])
        self.nearfar("report", "cell", "nothing", "--out", self.folder / "out", code=5)


if __name__ == "__main__":
    unittest.main()

"""The golden SVGs are XML that stands alone: one svg element with a role, a title and a description, without scripts, links or ids."""
import sys
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

FOLDER = Path(sys.argv.pop())
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {SVG + name for name in "svg title desc style rect line polyline polygon circle text g".split()}


class Goldens(unittest.TestCase):
    def test_every_one(self):
        files = sorted(FOLDER.glob("*.svg"))
        self.assertGreater(len(files), 8)
        for file in files:
            root = xml.parse(file).getroot()
            self.assertEqual((root.tag, root.get("role"), root.get("viewBox") is not None), (SVG + "svg", "img", True), file.name)
            self.assertEqual([child.tag for child in root[:3]], [SVG + "title", SVG + "desc", SVG + "style"], file.name)
            self.assertTrue(root[0].text and root[1].text, file.name)
            for element in root.iter():
                self.assertIn(element.tag, ELEMENTS, file.name)
                self.assertFalse({"id", "href", "onload", "style"} & set(element.keys()), file.name)


if __name__ == "__main__":
    unittest.main()

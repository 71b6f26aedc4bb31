"""tools/plugin_reference.py on small headers: what it takes for a declaration, a comment, a member; and that no header is missing from the page."""
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "tools"))
import plugin_reference  # noqa: E402


class PluginReference(unittest.TestCase):
    def page(self, text, name="one.h"):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_text(text)
            before, plugin_reference.SDK = plugin_reference.SDK, Path(folder)
            try:
                return "\n".join(plugin_reference.described(name))
            finally:
                plugin_reference.SDK = before

    def test_a_struct_is_a_table_of_its_members(self):
        page = self.page("#pragma once\n/// What it is.\n#include <x>\nnamespace n {\n\n/// Why.\nstruct A {\n  int a = 1;  ///< one | two\n  /// Before.\n  at::Tensor b;\n};\n\n}\n")
        self.assertEqual(page, "## nearfar/one.h\nWhat it is.\n### `struct A`\nWhy.\n| member | |\n|---|---|\n| `int a = 1` | one \\| two |\n| `at::Tensor b` | Before. |")

    def test_private_members_and_bodies_are_left_out(self):
        page = self.page("/// Lead.\n\nclass NEARFAR_EXPORT B final : public C {\n  int hidden();\n public:\n  B() = default;\n  virtual ~B() = default;\n"
                         "  explicit B(int a) : a_(a) {}\n  /// Says it.\n  virtual int a(double x = 1) const noexcept { return a_ + f(\"}\"); }\n private:\n  int a_;\n};\n")
        self.assertIn("### `class B", page)
        self.assertIn("| `B(int a)` |  |\n| `int a(double x = 1) const noexcept` | Says it. |", page)
        self.assertNotIn("hidden", page)
        self.assertNotIn("a_", page)

    def test_c_comments_and_function_pointers_are_read(self):
        page = self.page("/* The lead,\n * in two lines. */\n#ifndef H\ntypedef struct s {\n  int32_t (*f)(void* a, int b); /* calls\n                                 * it */\n} s;\n"
                         "enum { X = 1, Y = 2 };\n#define HAS(a, b) \\\n  ((a) + (b))\n")
        self.assertIn("The lead, in two lines.", page)
        self.assertIn("### `struct s`", page)
        self.assertIn("| `int32_t (*f)(void* a, int b)` | calls it |", page)
        self.assertIn("| `X = 1` |  |\n| `Y = 2` |  |", page)
        self.assertIn("| `#define HAS(a, b)` |", page)

    def test_lists_and_columns_of_a_comment_keep_their_form(self):
        self.assertEqual(plugin_reference.prose(["Text", "goes on.", "- one", "  more", "- two", "", "a   column", "b   column"]),
                         "Text goes on.\n\n- one more\n\n- two\n\n```text\na   column\nb   column\n```")

    def test_every_header_is_on_the_page(self):
        page = (SOURCE / "docs/plugin-reference.md").read_text()
        headers = [str(path.relative_to(SOURCE / "harness/sdk")) for path in (SOURCE / "harness/sdk/nearfar").rglob("*.h")]
        self.assertGreater(len(headers), 15)
        self.assertEqual([name for name in headers if f"\n## {name}\n" not in page], [])


if __name__ == "__main__":
    unittest.main()

"""docs/plugins.md, word for word: its commands (fences `sh`) in one shell, in an empty folder, with nothing but the installed package; what it shows (fences `text`) must
come, line by line and in this order, from the commands before it; … is anything. Ends with the plugin on a leaderboard, in less than ten minutes."""
import csv
import re
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from installed import SOURCE, install, surroundings

TUTORIAL = SOURCE / "docs/plugins.md"
LIMIT = 600  # seconds, on 2 cores


def fences(text):
    """(language, lines) of the fenced blocks in order."""
    return [(language, body.splitlines()) for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def steps(text):
    """(commands, shown lines), one for each block of commands."""
    found = []
    for language, lines in fences(text):
        if language == "sh":
            found.append((lines, []))
        elif language == "text":
            found[-1][1].extend(lines)
    return found


def missing(shown, printed):
    """Lines of `shown` that `printed` does not have, each looked for after the one before."""
    lines, at = [" ".join(line.split()) for line in printed.splitlines()], 0
    for wanted in shown:
        pattern = ".*".join(re.escape(" ".join(part.split())) for part in wanted.split("…"))
        hit = next((i for i in range(at, len(lines)) if re.fullmatch(pattern, lines[i])), None)
        if hit is None:
            yield wanted
        else:
            at = hit + 1


class Comparison(unittest.TestCase):
    def test_lines_that_are_not_printed_are_found(self):
        printed = "one  1\nthree 3 s\n"
        self.assertEqual(list(missing(["one 1", "three … s"], printed)), [])
        self.assertEqual(list(missing(["three … s", "one 1"], printed)), ["one 1"])
        self.assertEqual(list(missing(["thr"], printed)), ["thr"])

    def test_fences_are_read_in_order(self):
        text = "a\n```sh\nfirst\n```\n```text\nshown\n```\nb\n```toml\nx = 1\n```\n```sh\nsecond\n```\n"
        self.assertEqual(steps(text), [(["first"], ["shown"]), (["second"], [])])


class Tutorial(unittest.TestCase):
    def test_its_commands_do_what_it_shows(self):
        folder = Path(tempfile.mkdtemp(prefix="nearfar tutorial "))
        self.addCleanup(shutil.rmtree, folder)
        install(folder / "installed")
        work = folder / "empty"
        work.mkdir()
        parts = steps(TUTORIAL.read_text())
        self.assertGreater(len(parts), 5)
        script = "".join(f"echo '@@ {i}'\n" + "\n".join(commands) + "\n" for i, (commands, _) in enumerate(parts))
        begin = time.monotonic()
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=work, env=surroundings(folder / "installed"), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT)
        seconds = time.monotonic() - begin
        self.assertEqual(done.returncode, 0, done.stdout)
        printed = re.split(r"^@@ \d+\n", done.stdout, flags=re.MULTILINE)[1:]
        self.assertEqual(len(printed), len(parts), done.stdout)
        for i, (commands, shown) in enumerate(parts):
            self.assertEqual(list(missing(shown, printed[i])), [], "\n$ " + "\n$ ".join(commands) + f"\n{printed[i]}")
        with (work / "gini/runs/leaderboard.csv").open() as board:
            self.assertIn("gini", {row["postprocessor"] for row in csv.DictReader(board)})
        with (work / "warm-ce/runs/leaderboard.csv").open() as board:
            self.assertIn("warm-ce", {row["training"] for row in csv.DictReader(board)})
        print(f"\nthe tutorial took {seconds:.0f} s")


if __name__ == "__main__":
    unittest.main()

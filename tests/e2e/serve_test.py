"""`nearfar serve` beside a run: what it answers while cells come, at the end, and to those it does not know."""
import http.client
import json
import os
import signal
import subprocess
import time
import unittest
import urllib.error
import urllib.request
from support import PROGRAM, SMOKE, Case


class Serve(Case):
    def serve(self, *arguments, **environment):
        """The address of a server that this test stops at its end."""
        process = self.start("serve", "--port", "0", "--json", *arguments, **environment)
        self.addCleanup(self.stop, process)
        return json.loads(process.stdout.readline())["url"], process

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    def get(self, url, **headers):
        """Status, headers and text."""
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def test_it_shows_a_run_from_before_its_first_cell_to_its_end(self):
        out = self.folder / "out"
        url, server = self.serve("--out", out)
        status, _, text = self.get(url)
        self.assertEqual(status, 503)
        self.assertIn("run an experiment first", text)
        run = self.start("run", SMOKE, "--out", out, "run.jobs=1")
        done, running, answers = [], set(), 0
        while run.poll() is None:
            status, _, text = self.get(url + "api/status.json")
            if status == 200 and (experiments := json.loads(text)["experiments"]):
                answers += 1
                done.append(experiments[0]["ended_well"])
                running |= {cell["label"] for cell in json.loads(text)["running"]}
            else:
                self.assertIn(status, (200, 503), text)
            time.sleep(0.05)
        out_text, err = run.communicate()
        self.assertEqual(run.returncode, 0, out_text + err)
        self.assertGreater(answers, 3)
        self.assertEqual(done, sorted(done))
        self.assertGreater(len(set(done)), 2, "cells were not seen to come")
        self.assertTrue(running, "no cell was seen at work")

        final = json.loads(self.get(url + "api/status.json")[2])
        self.assertEqual(final["experiments"][0]["ended_well"], final["experiments"][0]["total"])
        self.assertEqual(final["running"], [])
        board = self.get(url + "api/leaderboard.json")
        self.assertEqual(board[2], self.nearfar("report", "--json", "--out", out)[0])
        self.assertEqual(self.get(url + "api/leaderboard.json", **{"If-None-Match": board[1]["ETag"]})[0], 304)
        page = self.get(url + "leaderboard")[2]
        self.assertIn("<td", page)
        cell = next(cell for cell in self.status().values() if cell["kind"] == "train")
        shown = json.loads(self.nearfar("show", cell["key"], "--json", "--out", out)[0])
        self.assertEqual(json.loads(self.get(f"{url}api/cell/{cell['key']}.json")[2]), shown)
        curve = json.loads(self.get(f"{url}api/curve/{cell['id']}.json")[2])
        self.assertEqual({one["name"] for one in curve["curves"]}, {point["name"] for point in shown["curve"]})
        html = self.get(f"{url}cell/{cell['key']}")[2]
        self.assertIn("<title>train_loss</title>", html)
        self.assertIn(cell["key"], html)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
        self.assertEqual(server.returncode, 0)

    def test_strangers_writers_and_climbers_are_refused(self):
        self.run_smoke("losses=ce", "postprocessors=knn")
        url, _ = self.serve("--out", self.folder / "out", NEARFAR_TOKEN="secret")
        self.assertEqual(self.get(url)[0], 401)
        self.assertEqual(self.get(url, Authorization="Bearer wrong")[0], 401)
        self.assertEqual(self.get(url + "?token=wrong")[0], 401)
        self.assertEqual(self.get(url, Authorization="Bearer secret")[0], 200)
        cookie = self.get(url + "?token=secret")[1]["Set-Cookie"]
        self.assertIn("HttpOnly; SameSite=Strict", cookie)
        self.assertEqual(self.get(url, Cookie=cookie.split(";")[0])[0], 200)
        self.assertEqual(self.get(url, Authorization="Bearer secret", Host="evil.example")[0], 421)
        port = int(url.rsplit(":", 1)[1].strip("/"))
        for method, path, wanted in (("GET", "/cell/../../../etc/passwd", 404), ("GET", "/cell/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
                                     ("GET", "/nothing", 404), ("POST", "/", 405), ("DELETE", "/cells", 405), ("HEAD", "/", 200)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request(method, path, headers={"Authorization": "Bearer secret"})
            answer = connection.getresponse()
            text = answer.read()
            self.assertEqual(answer.status, wanted, f"{method} {path}")
            self.assertNotIn(b"root:x:", text)
            connection.close()

    def test_it_says_what_is_wrong_with_an_address_and_stops_when_asked(self):
        self.run_smoke("losses=ce", "postprocessors=knn")
        where = ("--out", self.folder / "out")
        _, err = self.nearfar("serve", "--host", "0.0.0.0", *where, code=4)
        self.assertIn("NEARFAR_TOKEN", err)
        url, _ = self.serve(*where)
        _, err = self.nearfar("serve", "--port", url.rsplit(":", 1)[1].strip("/"), *where, code=4)
        self.assertIn("another program has this port", err)
        self.nearfar("serve", "--db", PROGRAM, code=8)
        process = subprocess.Popen([PROGRAM, "serve", "--port", "0", *map(str, where)], stdout=subprocess.PIPE, text=True, env={**os.environ})
        self.assertRegex(process.stdout.readline(), r"^http://127\.0\.0\.1:\d+/$")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=60)[0], "stopped\n")
        self.assertEqual(process.returncode, 0)


if __name__ == "__main__":
    unittest.main()

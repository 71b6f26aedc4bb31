"""Exports for other people's programs: each is read back by that program, and every number compared with `report --json`.

The programs come from PyPI, in an environment that ./run test -L dashboards makes (NEARFAR_DEPS/dashboards). Without it those tests are skipped and say
so; what needs none of them (structure, checksums, JSON) is always tested.
"""
import hashlib
import json
import os
import shutil
import sqlite3
import statistics
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path
from support import SMOKE, SOURCE, Case

ENVIRONMENT = Path(os.environ.get("NEARFAR_DEPS") or SOURCE / ".deps") / "dashboards"
PYTHON = ENVIRONMENT / "bin/python"
FORMATS = ("tensorboard", "trackio", "mlflow", "hf", "ro-crate")
needs_programs = unittest.skipUnless(PYTHON.exists(), f"no {PYTHON}: ./run test -L dashboards installs what reads the exports")

made = None  # the experiment's folder: run once for all tests


def setUpModule():
    global made
    made = Path(tempfile.mkdtemp(prefix="nearfar-dashboards-"))


def tearDownModule():
    shutil.rmtree(made)


def row_key(row):
    return tuple(row[key] for key in ("training", "training_params", "architecture", "recipe", "postprocessor", "postprocessor_params"))


class Exports(Case):
    def setUp(self):
        super().setUp()
        self.out = made / "out"
        if not self.out.exists():
            self.nearfar("run", SMOKE, "--out", self.out, "losses=ce,supcon", "seeds=0,1", "postprocessors=knn,mds", "--quiet")
            self.nearfar("run", SMOKE, "--out", self.out, "losses=ce", "seeds=5", "postprocessors=knn", "name=part", "data.limit=60", "--quiet")
        self.report = json.loads(self.nearfar("report", "--json", "--out", self.out)[0])

    def export(self, kind, *extra, folder=None, code=0):
        folder = folder or self.folder / kind
        return folder, self.nearfar("report", "export", "--to", kind, folder, "--out", self.out, *extra, code=code)

    def expected(self):
        return self.numbers_of(self.report)

    @staticmethod
    def numbers_of(report):
        """(data, row, protocol, group, data set, metric) -> mean, deviation, seeds."""
        return {(board["data_hash"], row_key(row), board["protocol"], n["group"], n["dataset"], n["metric"]): (n["mean"], n["std"], n["seeds"])
                for board in report["boards"] for row in board["rows"] for n in row["numbers"]}

    def assert_equal_to_report(self, found, digits=12):
        """`found`: of every evaluation its data, its row in each protocol, and its numbers by "protocol/group/dataset/metric", as a program read them."""
        values = {}
        for data, rows, numbers in found:
            for name, value in numbers.items():
                protocol, group, dataset, metric = name.split("/")
                values.setdefault((data, row_key(rows[protocol]), protocol, group, dataset, metric), []).append(value)
        expected = self.expected()
        self.assertEqual(values.keys(), expected.keys())
        self.assertGreater(len(values), 30)
        for key, (mean, deviation, seeds) in expected.items():
            self.assertEqual(len(values[key]), seeds, key)
            self.assertAlmostEqual(statistics.fmean(values[key]), mean, digits, key)
            self.assertAlmostEqual(statistics.pstdev(values[key]), deviation, digits, key)

    def ask(self, script, *arguments, **environment):
        """What a Python program of the environment prints as JSON on its last line."""
        done = subprocess.run([PYTHON, "-c", script, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, timeout=300,
                              env={**os.environ, "HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "MLFLOW_DISABLE_TELEMETRY": "true", **environment})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def with_scores(self):
        return [cell for cell in self.status(self.out).values() if cell["kind"] in ("eval", "accuracy") and cell["state"] == "ok"]


class Structure(Exports):
    def test_every_export_is_made_replaced_and_leaves_the_database_alone(self):
        before = hashlib.sha256((self.out / "results.sqlite").read_bytes()).hexdigest()
        for kind in FORMATS:
            folder, (said, notes) = self.export(kind)
            self.assertIn(f"{kind}, ", said)
            self.assertIn("partial, and tagged as such", notes)
            mark = json.loads((folder / ".nearfar-export.json").read_text())
            files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {".nearfar-export.json"}
            self.assertEqual(set(mark["files"]), files)
            content = {name: (folder / name).read_bytes() for name in files if not name.endswith((".db", ".sqlite"))}
            self.export(kind)
            self.assertEqual({name: (folder / name).read_bytes() for name in content}, content, "the same again")
            (folder / "mine.txt").write_text("x")
            _, (_, why) = self.export(kind, code=4)
            self.assertIn("mine.txt", why)
        self.assertEqual(hashlib.sha256((self.out / "results.sqlite").read_bytes()).hexdigest(), before)

    def test_what_cannot_be_exported_is_told(self):
        _, (_, why) = self.export("parquet", code=4)
        self.assertIn("v_leaderboard", why)
        _, (_, why) = self.export("tensorbord", code=4)
        self.assertIn("did you mean 'tensorboard'", why)
        self.export("mlflow", "-k", "nothing-of-this-name", code=5)
        self.export("mlflow", folder=self.out, code=4)
        self.export("mlflow", "--hub", "group", code=4)
        self.assertTrue((self.out / "results.sqlite").exists())

    def test_a_selection_exports_those_cells(self):
        folder, (said, _) = self.export("tensorboard", "-k", "knn and s1", "--experiment", "smoke")
        self.assertEqual(sorted(p.name for p in folder.iterdir() if p.is_dir()), ["ce_resnet8_s1_knn", "supcon_resnet8_s1_knn"])
        self.assertIn("2 cells", said)

    def test_the_view_tells_the_numbers_of_the_report(self):
        database = sqlite3.connect(self.out / "results.sqlite")
        database.row_factory = sqlite3.Row
        found = []
        fields = ("training", "training_params", "architecture", "recipe", "postprocessor", "postprocessor_params")
        rows = {key[:3] for key in self.expected()}
        for number in database.execute("SELECT * FROM v_leaderboard ORDER BY seed"):
            named = dict(number)
            of_number = tuple(named[field] for field in fields)
            self.assertIn((named["data_hash"], of_number, named["protocol"]), rows)
            name = "/".join(named[part] for part in ("protocol", "set_group", "dataset", "metric"))
            found.append((named["data_hash"], {named["protocol"]: dict(zip(fields, of_number))}, {name: named["value_fraction"]}))
            self.assertEqual(named["is_partial"], int(named["seed"] == 5), named)
        self.assert_equal_to_report(found)

    def test_events_are_framed_and_the_crate_has_checksums(self):
        folder, _ = self.export("tensorboard")
        files = list(folder.rglob("*tfevents*"))
        self.assertGreater(len(files), 10)
        for file in files:
            content, at, count = file.read_bytes(), 0, 0
            while at < len(content):
                at += 8 + 4 + struct.unpack("<Q", content[at:at + 8])[0] + 4
                count += 1
            self.assertEqual(at, len(content), file)
            self.assertGreaterEqual(count, 2)
        folder, _ = self.export("ro-crate")
        graph = {entity["@id"]: entity for entity in json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]}
        self.assertEqual(len([name for name in graph if name.startswith("scores/")]),
                         sum(len(json.loads(self.nearfar("show", cell["id"], "--json", "--out", self.out)[0])["scores"]) for cell in self.with_scores()))
        for part in graph["./"]["hasPart"]:
            entity = graph[part["@id"]]
            content = (folder / entity["@id"]).read_bytes()
            self.assertEqual(entity["sha256"], hashlib.sha256(content).hexdigest())
            self.assertEqual(entity["contentSize"], str(len(content)))
        self.assertEqual(self.numbers_of(json.loads((folder / "leaderboard.json").read_text())), self.expected())
        self.assertEqual(self.numbers_of(json.loads(self.nearfar("report", "--json", "--db", folder / "results.sqlite")[0])), self.expected())
        changed = next(self.out.glob("cells/*/scores/test.npy"))
        before = changed.read_bytes()
        try:
            changed.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
            _, (_, why) = self.export("ro-crate", code=6)
            self.assertIn("test.npy: is not the file that the run", why)
        finally:
            changed.write_bytes(before)
        self.assertTrue((folder / "ro-crate-metadata.json").exists(), "the earlier export stays")


READ_TENSORBOARD = """
import json, sys, pathlib, types
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
folder = sys.argv[1]
runs = {}
for path in sorted(pathlib.Path(folder).iterdir()):
    if not path.is_dir(): continue
    events = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    runs[path.name] = {
        "scalars": {tag: [(e.step, e.value, e.wall_time) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]},
        "about": events.Tensors("about")[0].tensor_proto.string_val[0].decode()}
multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(folder).Reload()
context = backend_context.Context(base_plugin.TBContext(data_provider=data_provider.MultiplexerDataProvider(multiplexer, folder)))
from tensorboard import context as contexts
request = contexts.RequestContext()
metadata = context.hparams_metadata(request, "")
experiment = context.experiment_from_metadata(request, "", True, metadata, context.hparams_from_data_provider(request, "", 1000))
groups = list_session_groups.Handler(request, context, "", api_pb2.ListSessionGroupsRequest(
    start_index=0, slice_size=1000, allowed_statuses=[0, 1, 2, 3],
    col_params=[api_pb2.ColParams(metric=m.name) for m in experiment.metric_infos])).run()
hparams = {}
for group in groups.session_groups:
    for session in group.sessions:
        hparams[session.name] = {"status": session.status,
            "hparams": {name: getattr(value, value.WhichOneof("kind")) for name, value in group.hparams.items()},
            "metrics": {v.name.tag: v.value for v in session.metric_values}}
print(json.dumps({"runs": runs, "hparams": hparams, "columns": [h.name for h in experiment.hparam_infos]}))
"""

READ_MLFLOW = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
runs = []
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id], max_results=1000):
        curve = [(m.step, m.value, m.timestamp) for m in client.get_metric_history(run.info.run_id, "curves/train_loss")] if "curves/train_loss" in run.data.metrics else []
        runs.append({"experiment": experiment.name, "name": run.info.run_name, "status": run.info.status, "metrics": run.data.metrics, "params": run.data.params,
                     "tags": run.data.tags, "curve": curve, "start": run.info.start_time, "end": run.info.end_time})
print(json.dumps(runs))
"""

READ_TRACKIO = """
import json, trackio, sys
from trackio.sqlite_storage import SQLiteStorage
found = {}
for project in SQLiteStorage.get_projects():
    for run in trackio.Api().runs(project):
        found[run.name] = {"project": project, "config": run.config, "logs": SQLiteStorage.get_logs(project, run.name, run_id=run.id)}
print(json.dumps(found, default=str))
"""

READ_CARDS = """
import json, sys, pathlib, yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
found = {}
for folder in sorted(p for p in pathlib.Path(sys.argv[1]).iterdir() if p.is_dir()):
    card = ModelCard.load(folder / "README.md")
    found[folder.name] = {"name": card.data.model_name, "tags": card.data.tags, "text": card.text,
        "results": [{key: getattr(r, key) for key in ("task_type", "dataset_type", "dataset_config", "dataset_split", "dataset_revision", "metric_type", "metric_value")}
                    for r in card.data.eval_results],
        "entries": [vars(e) for file in sorted((folder / ".eval_results").glob("*.yaml")) for e in parse_eval_result_entries(yaml.safe_load(file.read_text()))]}
print(json.dumps(found))
"""

READ_CRATE = """
import json, sys
from rocrate.rocrate import ROCrate
crate = ROCrate(sys.argv[1])
actions = [e for e in crate.contextual_entities if e.type == "CreateAction"]
print(json.dumps({"name": crate.name, "files": [e.id for e in crate.data_entities],
    "actions": [{"name": a["name"], "start": a["startTime"], "status": a["actionStatus"] if isinstance(a["actionStatus"], str) else a["actionStatus"].id,
                 "instruments": [[i["name"], i.get("softwareVersion"), i.get("identifier")] for i in a["instrument"]],
                 "results": [r.id for r in a.get("result", [])],
                 "numbers": {r["name"]: r["value"] for r in a.get("result", []) if r.type == "PropertyValue"}} for a in actions]}))
"""

READ_VIEW = """
import json, sys, sqlite3, pandas, duckdb
frame = pandas.read_sql("SELECT * FROM v_leaderboard", sqlite3.connect(sys.argv[1]))
duckdb.sql("COPY frame TO 'leaderboard.parquet' (FORMAT parquet)")
again = duckdb.sql("SELECT training, postprocessor, seed, set_group, dataset, metric, value_fraction FROM 'leaderboard.parquet' WHERE is_partial = 0").fetchall()
print(json.dumps(again))
"""


@needs_programs
class Programs(Exports):
    def test_tensorboard(self):
        folder, _ = self.export("tensorboard")
        read = self.ask(READ_TENSORBOARD, folder)
        rows = self.rows_by_run(lambda name: name.replace("/", "_").replace(" ", "_"))
        found = []
        for run, (data, places) in rows.items():
            scalars = read["runs"][run]["scalars"]
            found.append((data, places, {tag: points[0][1] for tag, points in scalars.items() if tag.split("/")[0] in places}))
        self.assert_equal_to_report(found, digits=6)  # float32
        loss = read["runs"]["ce_resnet8_s0"]["scalars"]["curves/train_loss"]
        shown = json.loads(self.nearfar("show", "ce/resnet8/s0", "--json", "--out", self.out)[0])
        expected = [(p["step"], p["value"]) for p in shown["curve"] if p["name"] == "train_loss"]
        self.assertEqual([step for step, _, _ in loss], [step for step, _ in expected])
        for (_, value, _), (_, stored) in zip(loss, expected):
            self.assertAlmostEqual(value, stored, 5)
        self.assertEqual([wall for _, _, wall in loss], sorted(wall for _, _, wall in loss))
        self.assertIn("PARTIAL", read["runs"]["ce_resnet8_s5_knn"]["about"])
        session = read["hparams"]["supcon_resnet8_s1_knn"]
        self.assertEqual((session["hparams"]["loss"], session["hparams"]["postprocessor"], session["hparams"]["seed"]), ("supcon", "knn", 1.0))
        self.assertEqual((session["status"], session["hparams"]["partial"]), (1, False))
        self.assertAlmostEqual(session["metrics"]["ood/near/mean/auroc"], read["runs"]["supcon_resnet8_s1_knn"]["scalars"]["ood/near/mean/auroc"][0][1])
        self.assertIn("train.epochs", read["columns"])

    def rows_by_run(self, name_of):
        """Of every evaluation, by the name that an export gave it: its data and its rows by protocol, from MLflow's tags, which have them in full."""
        folder = self.folder / "rows"
        if not folder.exists():
            self.export("mlflow", folder=folder)
        runs = {}
        for tags in folder.glob("mlruns/*/*/tags"):
            places = {p.name.split(".")[1]: json.loads(p.read_text()) for p in tags.glob("nearfar.*.row")}
            if places:
                runs[name_of((tags / "mlflow.runName").read_text())] = ((tags / "nearfar.data_hash").read_text(), places)
        return runs

    def check_mlflow(self, runs):
        self.assertEqual({run["experiment"] for run in runs}, {"smoke", "part"})
        found = []
        for run in runs:
            places = {tag.split(".")[1]: json.loads(value) for tag, value in run["tags"].items() if tag.startswith("nearfar.") and tag.endswith(".row")}
            if places:
                found.append((run["tags"]["nearfar.data_hash"], places, {name: value for name, value in run["metrics"].items() if name.split("/")[0] in places}))
        self.assert_equal_to_report(found)
        by_name = {run["name"]: run for run in runs}
        train, shown = by_name["ce/resnet8/s0"], json.loads(self.nearfar("show", "ce/resnet8/s0", "--json", "--out", self.out)[0])
        self.assertEqual([(step, value) for step, value, _ in sorted(train["curve"])], [(p["step"], p["value"]) for p in shown["curve"] if p["name"] == "train_loss"])
        self.assertEqual((train["params"]["loss"], train["params"]["seed"], train["status"]), ("ce", "0", "FINISHED"))
        self.assertEqual(train["tags"]["nearfar.cell"], shown["key"])
        self.assertLessEqual(train["start"], train["end"])
        self.assertEqual(by_name["ce/resnet8/s5 knn"]["tags"]["nearfar.partial"], "true")

    def test_mlflow_3_reads_the_file_store_when_allowed_and_as_a_database_after_its_own_migration(self):
        folder, _ = self.export("mlflow")
        self.check_mlflow(self.ask(READ_MLFLOW, folder / "mlruns", MLFLOW_ALLOW_FILE_STORE="true"))
        migrated = "import json, sys; from pathlib import Path; from mlflow.store.fs2db import migrate; migrate(Path(sys.argv[1]), sys.argv[2], progress=False); print('[]')"
        self.ask(migrated, folder / "mlruns", f"sqlite:///{self.folder}/mlflow.db", MLFLOW_ALLOW_FILE_STORE="true")
        self.check_mlflow(self.ask(READ_MLFLOW, f"sqlite:///{self.folder}/mlflow.db"))
        self.export("mlflow")  # MLflow left no file in it

    def test_mlflow_2_reads_the_file_store(self):
        folder, _ = self.export("mlflow")
        self.check_mlflow(self.ask(READ_MLFLOW, folder / "mlruns", PYTHONPATH=str(ENVIRONMENT / "mlflow2")))

    def test_trackio(self):
        folder, _ = self.export("trackio")
        read = self.ask(READ_TRACKIO, TRACKIO_DIR=str(folder))
        found = []
        for run in read.values():
            places = {key.split(".")[1]: json.loads(value) for key, value in run["config"].items() if key.startswith("nearfar.") and key.endswith(".row")}
            if places:
                numbers = run["logs"][-1]
                found.append((run["config"]["nearfar.data_hash"], places, {name: value for name, value in numbers.items() if name.split("/")[0] in places}))
        self.assert_equal_to_report(found)
        self.assertEqual(read["ce/resnet8/s0"]["project"], "smoke")
        shown = json.loads(self.nearfar("show", "ce/resnet8/s0", "--json", "--out", self.out)[0])
        self.assertEqual([(log["step"], log["curves/train_loss"]) for log in read["ce/resnet8/s0"]["logs"] if "curves/train_loss" in log],
                         [(p["step"], p["value"]) for p in shown["curve"] if p["name"] == "train_loss"])
        self.assertTrue(read["ce/resnet8/s5 knn"]["config"]["nearfar.partial"])

    def test_hugging_face(self):
        folder, _ = self.export("hf", "--hub", "some-group")
        read = self.ask(READ_CARDS, folder)
        self.assertEqual(set(read), {"ce_resnet8_s0", "ce_resnet8_s1", "supcon_resnet8_s0", "supcon_resnet8_s1", "ce_resnet8_s5"})
        rows, found, means = self.rows_by_run(str), [], {}
        for run, (data, places) in rows.items():
            model, method = run.rsplit(" ", 1)
            card = read[model.replace("/", "_")]
            self.assertEqual(card["name"], model)
            numbers = {}
            for result in card["results"]:
                protocol, _, scored_by = result["dataset_config"].partition(" ")
                if scored_by.split(" ")[0] in ("", method):
                    numbers[f"{protocol}/{result['dataset_split']}/{result['metric_type']}"] = result["metric_value"]
            found.append((data, places, numbers))
            means[model, method] = {name: value for name, value in numbers.items() if "/mean/" in name}
        self.assert_equal_to_report(found)
        self.assertIn("partial-results", read["ce_resnet8_s5"]["tags"])
        self.assertNotIn("partial-results", read["ce_resnet8_s0"]["tags"])
        for model, card in read.items():
            entries = {(entry["notes"].split(" ")[2].split(";")[0], entry["task_id"]): entry["value"] for entry in card["entries"]}
            expected = {(method, name.replace("/mean/", "/").replace("/", "-")): value
                        for (name_of_model, method), numbers in means.items() if name_of_model.replace("/", "_") == model for name, value in numbers.items()}
            self.assertEqual(entries, expected)
            self.assertEqual({entry["dataset_id"] for entry in card["entries"]}, {"some-group/smoke"})

    def test_ro_crate(self):
        folder, _ = self.export("ro-crate")
        read = self.ask(READ_CRATE, folder)
        self.assertEqual(read["name"], "nearfar results: all experiments")
        rows, found = self.rows_by_run(str), []
        for action in read["actions"]:
            self.assertEqual(action["instruments"][0][0], "nearfar")
            if action["name"] in rows:
                data, places = rows[action["name"]]
                found.append((data, places, {name: value for name, value in action["numbers"].items() if name.split("/")[0] in places}))
                self.assertEqual(len([r for r in action["results"] if r.startswith("scores/")]), len([f for f in read["files"] if f in action["results"]]))
                self.assertTrue(action["instruments"][1][2], "the plugin's source hash")
        self.assert_equal_to_report(found)

    def test_pandas_and_duckdb_read_the_view_and_make_parquet(self):
        read = self.ask(READ_VIEW, self.out / "results.sqlite")
        whole = {key: value for key, value in self.expected().items() if value[2] == 2}  # the partial row has one seed
        means = [mean for (_, row, *number), (mean, _, _) in whole.items() if (row[0], row[4], *number[1:]) == ("supcon", "knn", "near", "mean", "auroc")]
        values = [row[6] for row in read if row[:2] == ["supcon", "knn"] and row[3:6] == ["near", "mean", "auroc"]]
        self.assertEqual([len(values), len(means)], [2, 1])
        self.assertAlmostEqual(statistics.fmean(values), means[0], 12)
        self.assertEqual(len(read), 2 * len(whole))


if __name__ == "__main__":
    unittest.main()

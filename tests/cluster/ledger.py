"""What a database must look like after many processes worked on it. Standard library only."""
import sqlite3


class Ledger:
    """Cells and attempts of a results database, read with SQLite itself and not through nearfar."""

    def __init__(self, file):
        connection = sqlite3.connect(file)
        self.integrity = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        self.broken_keys = connection.execute("PRAGMA foreign_key_check").fetchall()
        self.cells = {key: (state, attempt) for key, state, attempt in connection.execute("SELECT key, state, attempt FROM cell")}
        self.kinds = dict(connection.execute("SELECT key, kind FROM cell"))
        self.runs = {}
        for key, attempt, state in connection.execute("SELECT cell_key, attempt, state FROM run ORDER BY cell_key, attempt"):
            self.runs.setdefault(key, []).append((attempt, state))
        self.workers = [row[0] for row in connection.execute("SELECT DISTINCT owner FROM run")]
        self.metrics = connection.execute("SELECT count(DISTINCT run_uid) FROM metric").fetchone()[0]
        connection.close()

    @staticmethod
    def owners(file, kind="%"):
        """Of running cells; none where there is no database yet."""
        try:
            connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
            rows = connection.execute("SELECT DISTINCT owner FROM cell WHERE state = 'running' AND kind LIKE ?", [kind]).fetchall()
            connection.close()
        except sqlite3.OperationalError:
            return []
        return [row[0] for row in rows]

    def states(self):
        counts = {}
        for state, _ in self.cells.values():
            counts[state] = counts.get(state, 0) + 1
        return counts

    def attempts(self, state):
        return sum(1 for runs in self.runs.values() for _, own in runs if own == state)

    def open_count(self):
        return sum(1 for state, _ in self.cells.values() if state in ("planned", "running"))

    def faults(self):
        """What is wrong where every cell should have been done exactly once; empty if nothing."""
        faults = [] if self.integrity == ["ok"] else [f"integrity_check: {self.integrity}"]
        faults += [f"foreign_key_check: {row}" for row in self.broken_keys]
        for key, (state, attempt) in self.cells.items():
            runs = self.runs.get(key, [])
            if state not in ("ok", "not-applicable"):
                faults.append(f"{key[:12]} ({self.kinds[key]}) is {state}")
            if [number for number, _ in runs] != list(range(1, attempt + 1)):
                faults.append(f"{key[:12]} has attempts {runs}, and counts {attempt}")
            good = [number for number, own in runs if own == "ok"]
            if state == "ok" and good != [attempt]:
                faults.append(f"{key[:12]} is ok with attempts {runs}")
            faults += [f"{key[:12]} has an attempt that never ended" for _, own in runs if own == "running"]
        return faults


def pid_of(owner):
    """The process number in an owner: host:machine:boot:namespace:pid:start."""
    return int(owner.split(":")[4])

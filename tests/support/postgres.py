#!/usr/bin/env python3
"""A PostgreSQL server of its own for a test: in a private folder, by an unprivileged user, reachable through a Unix socket only.

    postgres.py COMMAND…   runs the command with NEARFAR_TEST_POSTGRES=postgresql://tester@…/postgres and stops the server afterwards;
                           without PostgreSQL on this machine it says so and what would install it

Its data is worth nothing: it writes to disk without waiting, so its figures are not those of a real server.
"""
import glob
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

SKIPPED = "SKIPPED: whole program: no PostgreSQL server here; ./run test -L postgres installs one (Debian package postgresql)"
SETTINGS = {"listen_addresses": "", "fsync": "off", "full_page_writes": "off", "max_connections": "60", "shared_buffers": "64MB",
            "log_min_messages": "warning", "autovacuum_naptime": "5s"}


def binaries():
    """Folder of initdb and postgres, or None."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    on_path = shutil.which("initdb")
    if found:
        return Path(found[-1]).parent
    return Path(on_path).resolve().parent if on_path else None


class Server:
    """with Server() as server: server.address("name") …"""

    def __enter__(self):
        self.bin = binaries()
        if self.bin is None:
            raise RuntimeError(SKIPPED)
        self.folder = Path(tempfile.mkdtemp(prefix="nearfar-pg-"))
        self.user = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            names = [entry.pw_name for entry in pwd.getpwall()]
            entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self.process = None
        try:
            self.run("initdb", "-D", self.folder / "data", "-U", "tester", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, program, *arguments):
        done = subprocess.run([self.bin / program, *arguments], cwd="/", capture_output=True, text=True, **self.user)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        options = [text for name, value in SETTINGS.items() for text in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen([self.bin / "postgres", "-D", self.folder / "data", "-k", self.folder, *options], cwd="/",
                                            stdout=log, stderr=log, **self.user)
        for _ in range(600):
            ready = subprocess.run([self.bin / "pg_isready", "-q", "-h", self.folder, "-U", "tester", "-d", "postgres"])
            if ready.returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("the server does not come up: " + (self.folder / "log").read_text()[-2000:])

    def stop(self):
        """Connections are closed at once, what was committed stays."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(2)
            self.process.wait(60)

    def address(self, database):
        return f"postgresql://tester@{urllib.parse.quote(str(self.folder), safe='')}/{database}"

    def sql(self, database, text):
        """What psql prints, without headers."""
        return self.run("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "tester", "-d", database, "-c", text)

    def create(self, database):
        self.sql("postgres", f'CREATE DATABASE "{database}"')
        return self.address(database)


def main():
    if binaries() is None:
        print(SKIPPED)
        return 0
    with Server() as server:
        environment = os.environ | {"NEARFAR_TEST_POSTGRES": server.address("postgres")}
        return subprocess.run(sys.argv[1:], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())

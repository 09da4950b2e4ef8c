"""Real servers for tests: PostgreSQL and Redis on free ports of this machine, in folders of their own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.running import free_port

PLAIN = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Postgres:
    """A server with one superuser, `tunesmith`. As root it runs as `postgres`: it refuses to be root."""

    def __init__(self, folder: Path, password: str, port: int):
        self.folder, self.password, self.port = folder, password, port
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.tools = Path(shutil.which("initdb") or max(Path("/usr/lib/postgresql").glob("*/bin/initdb")))
        self.tools = self.tools.resolve().parent

    def start(self) -> None:
        data, password = self.folder / "data", self.folder / "password"
        password.write_text(self.password)
        if os.geteuid() == 0:
            for path in (self.folder, password):
                shutil.chown(path, self.user)
        self._call("initdb", "-D", data, "-U", "tunesmith", "-A", "scram-sha-256", "--pwfile", password, "-N")
        safe_to_lose = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        where = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        log = self.folder / "log"
        self._call("pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", f"{where} {safe_to_lose}")

    def stop(self) -> None:
        self._call("pg_ctl", "stop", "-D", self.folder / "data", "-m", "immediate")

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://tunesmith:{self.password}@127.0.0.1:{self.port}/{database}"

    def fresh(self, database: str) -> str:
        """Makes an empty database; returns its address."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"))
                connection.execute(text(f"CREATE DATABASE {database}"))
        finally:
            engine.dispose()
        return self.url(database)

    def _call(self, tool: str, *words: object) -> None:
        """As the server's user, with its output in a file: a server that starts keeps the pipe open."""
        output = self.folder / f"{tool}.log"
        with output.open("wb") as file:
            code = subprocess.run(
                [self.tools / tool, *map(str, words)],
                user=self.user if os.geteuid() == 0 else None,
                cwd=self.folder,
                stdout=file,
                stderr=file,
                env=PLAIN | {"LC_ALL": "C.UTF-8"},
                timeout=60,
                check=False,
            ).returncode
        assert code == 0, output.read_text()


@contextmanager
def postgres(password: str = "only for tests", port: int = 0) -> Iterator[Postgres]:
    """A running server. Not below pytest's folder, which nobody but its owner may enter."""
    with tempfile.TemporaryDirectory(prefix="tunesmith-postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder), password.replace(" ", "-"), port or free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()

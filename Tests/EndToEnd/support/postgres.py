"""Servers for single tests: a Postgres that becomes read-only or is promoted, a PgBouncer, and an address that moves."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Sequence

from .processes import Process, free_port

DATABASE = "licensekit"
USER = "licensekit"


def _bin() -> Path:
    for version in (15, 16, 17, 18):
        folder = Path(f"/usr/lib/postgresql/{version}/bin")
        if (folder / "postgres").exists():
            return folder
    return Path(os.path.realpath(shutil.which("postgres") or "")).parent


def _as_postgres(command: Sequence[str]) -> list[str]:
    """Postgres refuses to run as root."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig", "KILL", "--", *command]


class Postgres:
    """One server on its own port, with a database for the plain user of docs/operating.md."""

    def __init__(
        self, folder: Path, name: str = "pg", copy_of: "Postgres | None" = None, with_user: bool = True
    ) -> None:
        self.port = free_port()
        self.data = folder / name
        self.data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            folder.chmod(0o755)
            shutil.chown(self.data, "postgres", "postgres")
        if copy_of:
            self._run(
                "pg_basebackup", "-h", "127.0.0.1", "-p", str(copy_of.port), "-U", "postgres", "-D", str(self.data),
                "-R", "-X", "stream", "-c", "fast",
            )
        else:
            self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        command = [str(_bin() / "postgres"), "-D", str(self.data)]
        for setting in settings:
            command += ["-c", setting]
        self.process = Process(name, _as_postgres(command), {}, folder)
        self.process.start()
        self.process.wait_until(self._answers, "the server answers", 60)
        if not copy_of and with_user:
            self.sql(f"CREATE ROLE {USER} LOGIN CREATEROLE", "postgres")
            self.sql(f"CREATE DATABASE {DATABASE} OWNER {USER}", "postgres")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            _as_postgres([str(_bin() / program), *arguments]), capture_output=True, text=True, check=False, cwd="/"
        )
        assert done.returncode == 0, done.stderr

    def _answers(self) -> bool:
        ask = [str(_bin() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        return subprocess.run(ask, check=False).returncode == 0

    def url(self, port: int | None = None) -> str:
        return f"postgresql://{USER}@127.0.0.1:{port or self.port}/{DATABASE}"

    def sql(self, statement: str, database: str = DATABASE, user: str = "postgres") -> str:
        address = f"postgresql://{user}@127.0.0.1:{self.port}/{database}"
        done = subprocess.run(
            ["psql", address, "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement],
            capture_output=True, text=True, check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def turn_read_only(self, on: bool) -> None:
        """Does what managed services do when the disk is full: sessions stay, and get an error."""
        if on:
            self.sql("ALTER SYSTEM SET default_transaction_read_only = on", "postgres")
        else:
            self.sql("ALTER SYSTEM RESET default_transaction_read_only", "postgres")
        self.sql("SELECT pg_reload_conf()", "postgres")

    def close(self) -> None:
        self.process.kill()


class PgBouncer:
    """A PgBouncer between the product and a Postgres, in one of its modes."""

    def __init__(self, folder: Path, server: Postgres, mode: str, ignored: str = "extra_float_digits") -> None:
        self.port = free_port()
        self.server = server
        users, configuration = folder / "users.txt", folder / "pgbouncer.ini"
        users.write_text(f'"{USER}" ""\n')
        configuration.write_text(
            f"""[databases]
* = host=127.0.0.1 port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
ignore_startup_parameters = {ignored}
max_client_conn = 500
default_pool_size = 60
"""
        )
        command = [shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", str(configuration)]
        self.process = Process(f"pgbouncer-{mode}", _as_postgres(command), {}, folder)
        self.process.start()
        self.process.wait_until(self._answers, "the pooler answers")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def url(self) -> str:
        return self.server.url(self.port)

    def close(self) -> None:
        self.process.kill()


class MovingAddress:
    """An address that leads to one server and later to another, as a primary's name does. Open connections stay."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for here, there in ((client, server), (server, client)):
                threading.Thread(target=_carry, args=(here, there), daemon=True).start()

    def close(self) -> None:
        self._listener.close()


def _carry(here: socket.socket, there: socket.socket) -> None:
    try:
        while data := here.recv(65_536):
            there.sendall(data)
    except OSError:
        pass
    finally:
        for end in (here, there):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

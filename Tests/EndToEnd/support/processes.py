"""Real processes, started and stopped by the tests. None outlives the test run, even if the run is killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Mapping, Sequence

PACKAGE_ROOT = Path(__file__).resolve().parents[3]


def binary(name: str) -> str:
    """The path of a command of this package: in LICENSEKIT_BIN, else where a debug build puts it."""
    folder = Path(os.environ.get("LICENSEKIT_BIN", PACKAGE_ROOT / ".build" / "debug"))
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built. Run: swift build --product {name}")
    return str(path)


def free_port() -> int:
    """A port that was free a moment ago. For processes whose address must be known before they start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """One command with its environment and log. It can be killed and started again with the same ones."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.command = list(command)
        self.environment = dict(environment)
        self.log_path = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
        # The kernel ends it when this process ends for any reason.
        prefix = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                prefix + self.command,
                env=inherited | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_until(self, ready, what: str, seconds: float = 30) -> None:
        """Waits until `ready()` is true. Fails with the end of the log when the process ends or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.is_running:
                raise AssertionError(f"{self.name} ended before {what}.\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: {what} did not come true in {seconds} s.\n{self.log_tail()}")
            time.sleep(0.05)

    def wait_for_exit(self, seconds: float = 15) -> int:
        assert self._process is not None
        return self._process.wait(seconds)

    def terminate(self, seconds: float = 15) -> int:
        """Asks the process to end, as an operator's restart does, and returns its exit status."""
        assert self._process is not None
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM.\n{self.log_tail()}") from None

    def kill(self) -> None:
        """Ends the process with kill -9."""
        if self._process is not None and self.is_running:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 60) -> str:
        return "\n".join(self.log().splitlines()[-lines:])

"""Programs that tests start, and the broker among them."""

import os
import socket
import subprocess
import unittest

# A bound for what must happen, far above what it takes.
PATIENCE = 120.0


def first_line(process: subprocess.Popen, wanted: str) -> str:
    """The first line that begins so; of one that ends in `=`, what comes after it."""
    for line in process.stdout:
        if line.startswith(wanted):
            return line.strip().removeprefix(wanted) if wanted.endswith("=") else line.strip()
    raise RuntimeError(f"{process.args[0]} ended with {process.wait()}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def usual_port(own: int) -> int:
    """A port at which the broker looks for servers by itself: this one, else another server's."""
    for port in [own, 8000, 1234, 8080, 11434]:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                free.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("every port at which the broker looks for servers is taken")


class Programs(unittest.TestCase):
    """Tests whose programs end with them."""

    @classmethod
    def start(cls, command: list, output=subprocess.PIPE, **more) -> subprocess.Popen:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, text=True, **more)

        def end() -> None:
            process.stdin.close()
            process.terminate()
            process.wait(PATIENCE)
            if process.stdout:
                process.stdout.close()

        cls.addClassCleanup(end)
        return process

    @classmethod
    def start_broker(cls, *arguments: str, **more) -> None:
        """The broker, as `url` and `key`."""
        command = [os.environ["AICOCKPIT_BIN"], "broker", "--listen=127.0.0.1:0", *arguments]
        cls.broker = cls.start(command, **more)
        cls.url = first_line(cls.broker, "OPENAI_BASE_URL=")
        cls.key = first_line(cls.broker, "OPENAI_API_KEY=")

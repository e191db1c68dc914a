"""Coding tools that people use, unchanged, edit a file through the broker.

The model is a script: a real one that is small enough for tests cannot do this. Each tool has a home of its own, and
whatever it asks of the internet goes to a proxy that only writes down for whom it was.
"""

import json
import os
import socketserver
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

import scripted
from common import PATIENCE, Programs

BEFORE = "print('hello')\n"
AFTER = "print('goodbye')\n"
WISH = "Say goodbye instead of hello."
# As aider's prompt asks for it.
EDIT = f"""Of course.

greeting.py
```python
<<<<<<< SEARCH
{BEFORE}=======
{AFTER}>>>>>>> REPLACE
```
"""
COMMAND = {"cmd": "sed -i s/hello/goodbye/ greeting.py"}


def answer(asked: scripted.Asked) -> dict | scripted.Events | None:
    if asked.path.endswith("/chat/completions"):
        return scripted.chat(asked, EDIT)
    if not asked.path.endswith("/responses"):
        return None
    if any(item.get("type") == "function_call_output" for item in asked.body["input"]):
        return scripted.response(asked, scripted.message("Done."))
    same = {"id": "fc_1", "call_id": "call_1", "type": "function_call", "status": "completed"}
    return scripted.response(asked, {**same, "name": "exec_command", "arguments": json.dumps(COMMAND)})


class Proxy(socketserver.ThreadingTCPServer):
    """Refuses everything, and keeps what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.asked.append(self.rfile.readline().decode(errors="replace").strip())
                self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Tools(Programs):
    def setUp(self) -> None:
        self.server = scripted.Server(answer)
        self.addCleanup(self.server.close)
        self.proxy = Proxy()
        self.addCleanup(self.proxy.server_close)
        self.addCleanup(self.proxy.shutdown)
        self.start_broker(f"--backend=s={self.server.url}/v1,kind=openai", f"--alias=fast=s/{scripted.MODEL}")
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.home, self.work = folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        self.file = self.work / "greeting.py"
        self.file.write_text(BEFORE)

    def run_tool(self, command: list, key: str, **more: str) -> subprocess.CompletedProcess:
        """With nothing of ours in its environment but what is given."""
        elsewhere = f"http://127.0.0.1:{self.proxy.server_address[1]}"
        proxies = {name: elsewhere for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]}
        proxies |= {name.lower(): value for name, value in proxies.items()}
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        env |= {**proxies, "OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": key, **more}
        return subprocess.run(
            command,
            cwd=self.work,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )

    def aider(self, key: str) -> subprocess.CompletedProcess:
        # What it knows of models it would fetch from the internet; an entry is enough for it not to.
        known = self.home / ".aider/caches/model_prices_and_context_window.json"
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps({"fast": {"max_input_tokens": 8192}}))
        command = [os.environ["AICOCKPIT_TEST_AIDER"], "--model", "openai/fast", "--edit-format", "diff"]
        command += ["--no-git", "--yes-always", "--no-pretty", "--no-fancy-input", "--message", WISH]
        command += ["--analytics-disable", "--no-check-update", "--no-show-release-notes"]
        command += ["--no-show-model-warnings", "greeting.py"]
        local = {"OPENAI_API_BASE": self.url, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        return self.run_tool(command, key, **local)

    def codex(self, key: str) -> subprocess.CompletedProcess:
        provider = {"name": "AiCockpit", "base_url": self.url, "env_key": "OPENAI_API_KEY", "wire_api": "responses"}
        lines = ['model = "fast"', 'model_provider = "broker"', "check_for_update_on_startup = false"]
        # Its catalogue of plugins lies on the internet.
        lines += ["[analytics]", "enabled = false", "[features]", "plugins = false", "[model_providers.broker]"]
        lines += [f"{name} = {json.dumps(value)}" for name, value in provider.items()]
        folder = self.home / ".codex"
        folder.mkdir(exist_ok=True)
        (folder / "config.toml").write_text("\n".join(lines) + "\n")
        command = [os.environ["AICOCKPIT_TEST_CODEX"], "exec", "--skip-git-repo-check", "--ephemeral"]
        # Its sandbox needs what a container may not have; the folder is the test's own.
        command += ["--sandbox", "danger-full-access", WISH]
        return self.run_tool(command, key)

    def check(self, ran: subprocess.CompletedProcess, path: str, questions: int) -> None:
        self.assertEqual(ran.returncode, 0, ran.stdout)
        self.assertEqual(self.file.read_text(), AFTER, ran.stdout)
        asked = self.server.posted(path)
        self.assertEqual(len(asked), questions, ran.stdout)
        for one in asked:
            self.assertEqual((one.body["model"], one.body["stream"]), (scripted.MODEL, True))
            # The key opens the broker's door, and goes no further.
            self.assertNotIn(self.key, json.dumps(one.headers))
        self.assertEqual(self.proxy.asked, [])

    def check_refused(self, ran: subprocess.CompletedProcess) -> None:
        self.assertIn("This key is not one of the broker's", ran.stdout)
        self.assertEqual(self.file.read_text(), BEFORE)
        self.assertEqual([asked for asked in self.server.asked if asked.method == "POST"], [])

    def test_aider_edits_a_file(self) -> None:
        self.check(self.aider(self.key), "/v1/chat/completions", 1)

    def test_aider_needs_the_key(self) -> None:
        self.check_refused(self.aider("sk-wrong"))

    def test_codex_edits_a_file(self) -> None:
        # The second question tells what became of the command.
        self.check(self.codex(self.key), "/v1/responses", 2)

    def test_codex_needs_the_key(self) -> None:
        ran = self.codex("sk-wrong")
        self.assertNotEqual(ran.returncode, 0, ran.stdout)
        self.check_refused(ran)


if __name__ == "__main__":
    unittest.main(verbosity=2)

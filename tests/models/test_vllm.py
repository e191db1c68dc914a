"""Real vLLM behind the broker. Its model is noise: shapes, grammars, figures and what becomes of a client that leaves are
looked at, never what is said."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import openai

from common import PATIENCE, Programs, free_port, usual_port

HERE = Path(__file__).parent
# Its name for clients.
MODEL = "tiny"
CONTEXT = 4096
# Requests that it works on at once; others wait.
AT_ONCE = 2
# It imports for most of a minute on an idle machine, and for minutes on a busy one.
START = 600.0
ON_CPU = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}, "sure": {"type": "boolean"}},
    "required": ["colour", "sure"],
    "additionalProperties": False,
}
PICK = {"type": "function", "function": {"name": "pick", "description": "Picks.", "strict": True, "parameters": SCHEMA}}
OTHER = {"type": "function", "function": {**PICK["function"], "name": "other"}}


class Vllm(Programs):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.server = cls.start_server(Path(folder.name))
        # Without a word on which servers there are: one that is found is named after what it is.
        metrics = free_port()
        cls.start_broker(f"--alias=fast=vllm/{MODEL}", f"--metrics=127.0.0.1:{metrics}")
        cls.metrics = f"http://127.0.0.1:{metrics}/metrics"
        cls.client = openai.OpenAI(base_url=cls.url, api_key=cls.key, timeout=PATIENCE, max_retries=0)

    @classmethod
    def start_server(cls, folder: Path) -> str:
        model = Path(os.environ.get("AICOCKPIT_TEST_VLLM_MODEL", folder / "tiny"))
        # By a process of its own: what it imports would stay with this one.
        subprocess.run([sys.executable, HERE / "vllm/tiny_model.py", model], check=True)
        port = usual_port(8000)
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model]
        command += ["--served-model-name", MODEL, "--dtype", "bfloat16"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--enforce-eager"]
        command += ["--max-model-len", str(CONTEXT), "--max-num-seqs", str(AT_ONCE)]
        command += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
        env = {**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        if os.environ.get("AICOCKPIT_TEST_VLLM_DEVICE") != "gpu":
            env |= ON_CPU
        else:
            # A card that others use, too.
            command += ["--gpu-memory-utilization", "0.3"]
        log = cls.enterClassContext(open(folder / "vllm.log", "w+"))
        process = cls.start(command, env=env, stderr=subprocess.STDOUT, output=log)
        server = f"http://127.0.0.1:{port}"
        until = time.monotonic() + START
        while not cls.is_ready(server):
            if process.poll() is not None or time.monotonic() > until:
                log.seek(0)
                raise RuntimeError(f"vLLM did not start:\n{log.read()[-6000:]}")
            time.sleep(0.2)
        return server

    @staticmethod
    def is_ready(server: str) -> bool:
        try:
            with urllib.request.urlopen(f"{server}/health", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def figure(self, name: str, url: str | None = None) -> float | None:
        """A figure of Prometheus: what vLLM says of itself, or who is at another address."""
        with urllib.request.urlopen(url or f"{self.server}/metrics", timeout=PATIENCE) as answer:
            lines = answer.read().decode().splitlines()
        found = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name}{{")]
        return found[0] if found else None

    def load(self) -> list[float | None]:
        """How busy the broker knows that vLLM is: running, waiting, part of its cache in use."""
        names = ["server_running", "server_waiting", "kv_cache_usage_ratio"]
        return [self.figure(f"aicockpit_broker_backend_{name}", self.metrics) for name in names]

    def wait_for(self, running: int, waiting: int = 0) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            now = [int(self.figure(f"vllm:num_requests_{name}")) for name in ("running", "waiting")]
            if now == [running, waiting]:
                return
            self.assertLess(time.monotonic(), until, f"{now} run and wait, not {[running, waiting]}")
            time.sleep(0.02)

    def ask(self, **more):
        messages = [{"role": "user", "content": "Say hello."}]
        # Drawn, but the same each time: at temperature 0, noise repeats itself for ever.
        return self.client.chat.completions.create(model="fast", messages=messages, seed=1, **more)

    def endless(self):
        return self.ask(stream=True, max_tokens=CONTEXT - 200, extra_body={"ignore_eos": True})

    def test_it_is_found_by_what_it_answers(self) -> None:
        listed = {model.id: model for model in self.client.models.list()}
        self.assertEqual(listed[MODEL].owned_by, "vllm")
        self.assertEqual(listed["fast"].context_length, CONTEXT)

    def test_a_question_is_answered(self) -> None:
        answer = self.ask(max_tokens=8)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertEqual(answer.usage.completion_tokens, 8)

    def test_an_answer_streams_with_its_usage_at_the_end(self) -> None:
        pieces = list(self.ask(max_tokens=12, stream=True, stream_options={"include_usage": True}))
        self.assertGreater(len([piece for piece in pieces if piece.choices]), 4)
        self.assertEqual(pieces[-1].usage.completion_tokens, 12)

    def test_a_tool_is_called_where_one_is_required_or_named(self) -> None:
        named = {"type": "function", "function": {"name": "pick"}}
        for choice, names in [("required", {"pick", "other"}), (named, {"pick"})]:
            answer = self.ask(max_tokens=400, tools=[PICK, OTHER], tool_choice=choice, parallel_tool_calls=False)
            for call in answer.choices[0].message.tool_calls:
                self.assertIn(call.function.name, names)
                self.assertIn(json.loads(call.function.arguments)["colour"], ["red", "green"])

    def test_a_call_of_a_tool_streams(self) -> None:
        named = {"type": "function", "function": {"name": "pick"}}
        calls = []
        for piece in self.ask(max_tokens=400, tools=[PICK], tool_choice=named, stream=True):
            for choice in piece.choices:
                calls += choice.delta.tool_calls or []
        self.assertEqual(next(call.function.name for call in calls if call.function.name), "pick")
        arguments = "".join(call.function.arguments or "" for call in calls)
        self.assertIn(json.loads(arguments)["colour"], ["red", "green"])

    def test_an_answer_keeps_to_a_schema(self) -> None:
        described = {"type": "json_schema", "json_schema": {"name": "thing", "schema": SCHEMA, "strict": True}}
        said = json.loads(self.ask(max_tokens=400, response_format=described).choices[0].message.content)
        self.assertIn(said["colour"], ["red", "green"])
        self.assertIsInstance(said["sure"], bool)

    def test_a_response_is_made(self) -> None:
        asked = {"model": "fast", "input": "Say hello.", "max_output_tokens": 8, "store": False}
        self.assertEqual(self.client.responses.create(**asked).object, "response")
        kinds = [event.type for event in self.client.responses.create(**asked, stream=True)]
        self.assertEqual(kinds[0], "response.created")
        # Its length was bounded, which is another end.
        self.assertIn(kinds[-1], ["response.completed", "response.incomplete"])

    def test_text_is_completed(self) -> None:
        answer = self.client.completions.create(model="fast", prompt="One, two,", max_tokens=4)
        self.assertEqual((answer.object, answer.usage.completion_tokens), ("text_completion", 4))

    def test_two_answers_stream_at_once(self) -> None:
        streams = [self.endless(), self.endless()]
        for stream in streams:
            next(iter(stream))
        self.wait_for(running=2)
        counts = [0, 0]

        def read(at: int) -> None:
            for _ in range(50):
                next(streams[at])
                counts[at] += 1

        readers = [threading.Thread(target=read, args=[at]) for at in range(2)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(PATIENCE)
        self.assertEqual(counts, [50, 50])
        for stream in streams:
            stream.close()
        self.wait_for(running=0)

    def test_a_client_that_leaves_frees_its_place_and_one_that_waits_gets_it(self) -> None:
        streams = [self.endless() for _ in range(AT_ONCE)]
        for stream in streams:
            next(iter(stream))
        answered = threading.Event()

        def ask() -> None:
            self.ask(max_tokens=4)
            answered.set()

        third = threading.Thread(target=ask)
        third.start()
        self.wait_for(running=AT_ONCE, waiting=1)
        self.assertGreater(self.figure("vllm:kv_cache_usage_perc"), 0)
        self.assertFalse(answered.is_set())
        streams[0].close()
        self.assertTrue(answered.wait(PATIENCE), "nobody left, as far as vLLM knows")
        third.join(PATIENCE)
        streams[1].close()
        self.wait_for(running=0)
        self.assertEqual(self.figure("vllm:kv_cache_usage_perc"), 0)

    def test_the_broker_knows_how_busy_it_is(self) -> None:
        streams = [self.endless() for _ in range(AT_ONCE)]
        for stream in streams:
            next(iter(stream))
        waiting = [threading.Thread(target=self.ask, kwargs={"max_tokens": 1}) for _ in range(40)]
        until = time.monotonic() + PATIENCE
        asked = 0
        # It asks for them as questions come, once a second at most.
        while (load := self.load())[1] is None or load[1] < 1:
            self.assertLess(time.monotonic(), until, f"it knows {load}")
            if asked < len(waiting):
                waiting[asked].start()
                asked += 1
            time.sleep(0.2)
        self.assertEqual(load[0], AT_ONCE)
        self.assertGreater(load[2], 0)
        for stream in streams:
            stream.close()
        for thread in waiting[:asked]:
            thread.join(PATIENCE)
        self.wait_for(running=0)

    def test_a_question_that_is_too_long_is_refused_in_its_words(self) -> None:
        with self.assertRaises(openai.BadRequestError) as long:
            messages = [{"role": "user", "content": "word " * CONTEXT}]
            self.client.chat.completions.create(model="fast", messages=messages)
        self.assertIn("maximum context length", str(long.exception))
        self.assertTrue({"message", "type", "param", "code"} <= set(long.exception.body))


if __name__ == "__main__":
    unittest.main(verbosity=2)

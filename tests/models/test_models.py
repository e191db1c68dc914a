"""A real model server behind the broker, asked by the client that most programs use.

What a model says is not looked at: it is a small one. Shapes, streams, errors and what becomes of a client that leaves
are.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import openai

from common import PATIENCE, Programs, first_line

HERE = Path(__file__).parent


class Models(Programs):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        kept = os.environ.get("AICOCKPIT_TEST_MODELS", folder.name)
        cls.log = cls.enterClassContext(open(Path(folder.name) / "llama.log", "w+"))
        llama = cls.start([sys.executable, HERE / "llama_server.py", kept], stderr=cls.log)
        cls.server = first_line(llama, "http://")
        cls.start_broker(f"--backend=llama={cls.server}/v1,kind=llama-cpp", "--alias=fast=llama/smollm2")
        cls.client = cls.with_key(cls.key)

    @classmethod
    def with_key(cls, key: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=cls.url, api_key=key, timeout=PATIENCE, max_retries=0)

    def ask(self, **more):
        messages = [{"role": "user", "content": "Say hello."}]
        return self.client.chat.completions.create(model="fast", messages=messages, **more)

    def busy_slots(self) -> int:
        with urllib.request.urlopen(f"{self.server}/slots", timeout=PATIENCE) as answer:
            return sum(slot["is_processing"] for slot in json.load(answer))

    def wait_for_slots(self, busy: bool) -> None:
        until = time.monotonic() + PATIENCE
        while (self.busy_slots() > 0) != busy:
            self.assertLess(time.monotonic(), until, f"slots stay {'free' if busy else 'busy'}")
            time.sleep(0.02)

    def test_models_are_listed_under_their_aliases_and_their_own_names(self) -> None:
        names = [model.id for model in self.client.models.list()]
        self.assertIn("fast", names)
        self.assertTrue(any("smollm2" in name for name in names), names)
        self.assertEqual(self.client.models.retrieve("fast").id, "fast")

    def test_a_question_is_answered(self) -> None:
        answer = self.ask(max_tokens=8, temperature=0)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertGreater(answer.usage.completion_tokens, 0)

    def test_an_answer_streams_piece_by_piece_with_its_usage_at_the_end(self) -> None:
        pieces = list(self.ask(max_tokens=12, stream=True, stream_options={"include_usage": True}))
        texts = [piece.choices[0].delta.content for piece in pieces if piece.choices]
        self.assertGreater(len([text for text in texts if text]), 2)
        self.assertGreater(pieces[-1].usage.completion_tokens, 0)

    def test_an_answer_keeps_to_a_schema(self) -> None:
        schema = {
            "type": "object",
            "properties": {"colour": {"enum": ["red", "green"]}, "count": {"type": "integer"}},
            "required": ["colour", "count"],
            "additionalProperties": False,
        }
        described = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema, "strict": True}}
        said = json.loads(self.ask(max_tokens=64, response_format=described).choices[0].message.content)
        self.assertIn(said["colour"], ["red", "green"])
        self.assertIsInstance(said["count"], int)

    def test_text_is_completed_and_filled_in(self) -> None:
        plain = self.client.completions.create(model="fast", prompt="One, two,", max_tokens=4)
        self.assertEqual(plain.object, "text_completion")
        filled = self.client.completions.create(
            model="fast", prompt="def add(a, b):\n    return ", suffix="\n\nprint(add(1, 2))\n", max_tokens=6
        )
        self.assertEqual((filled.object, filled.model), ("text_completion", "fast"))
        self.assertTrue(filled.choices[0].text)
        streamed = self.client.completions.create(
            model="fast", prompt="def add(a, b):\n    return ", suffix="\n", max_tokens=6, stream=True
        )
        self.assertTrue("".join(piece.choices[0].text for piece in streamed if piece.choices))

    def test_text_becomes_a_vector(self) -> None:
        answer = self.client.embeddings.create(model="fast", input=["hello", "world"])
        self.assertEqual([len(one.embedding) for one in answer.data], [576, 576])

    def test_a_response_is_made(self) -> None:
        answer = self.client.responses.create(model="fast", input="Say hello.", max_output_tokens=8)
        self.assertEqual(answer.object, "response")
        kinds = [event.type for event in self.client.responses.create(
            model="fast", input="Say hello.", max_output_tokens=8, stream=True
        )]
        self.assertEqual((kinds[0], kinds[-1]), ("response.created", "response.completed"))

    def test_a_client_that_leaves_frees_its_slot(self) -> None:
        stream = self.ask(max_tokens=1800, stream=True)
        next(iter(stream))
        self.wait_for_slots(busy=True)
        stream.close()
        self.wait_for_slots(busy=False)

    def test_errors_are_those_that_the_client_knows(self) -> None:
        with self.assertRaises(openai.NotFoundError) as missing:
            self.client.chat.completions.create(model="fats", messages=[{"role": "user", "content": "x"}])
        self.assertEqual(missing.exception.code, "model_not_found")
        self.assertIn("fast", str(missing.exception))
        with self.assertRaises(openai.AuthenticationError):
            self.with_key("aic-wrong").models.list()
        with self.assertRaises(openai.BadRequestError) as long:
            self.client.chat.completions.create(
                model="fast", messages=[{"role": "user", "content": "word " * 6000}]
            )
        self.assertIn("context", str(long.exception))

    def test_the_client_of_node_js_works_unchanged(self) -> None:
        env = {**os.environ, "OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": self.key}
        ran = subprocess.run(["node", "client.mjs"], cwd=HERE, env=env, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.wait_for_slots(busy=False)


if __name__ == "__main__":
    unittest.main(verbosity=2)

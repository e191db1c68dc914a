"""A model server that answers from a script, over real sockets, and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "scripted"
CREATED = 1_700_000_000


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: dict = field(default_factory=dict)


@dataclass
class Events:
    """An answer by server-sent events; each with its name, where it has one."""

    events: Iterable[tuple[str | None, object]]


def chunks(text: str, size: int = 24) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def usage() -> dict:
    return {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def chat(asked: Asked, text: str) -> dict | Events:
    """An answer of `/chat/completions`, streamed where that was asked for."""
    same = {"id": "chatcmpl-1", "created": CREATED, "model": MODEL}
    if asked.body.get("stream") is not True:
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return {**same, "object": "chat.completion", "choices": [choice], "usage": usage()}

    def piece(delta: dict, reason: str | None = None) -> tuple[None, dict]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return None, {**same, "object": "chat.completion.chunk", "choices": [choice]}

    pieces = [piece({"role": "assistant", "content": ""})]
    pieces += [piece({"content": part}) for part in chunks(text)]
    pieces.append(piece({}, "stop"))
    options = asked.body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True:
        last = {**same, "object": "chat.completion.chunk", "choices": [], "usage": usage()}
        pieces.append((None, last))
    return Events([*pieces, (None, "[DONE]")])


def completion(asked: Asked, text: str) -> dict | Events:
    """An answer of `/completions`."""
    same = {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": MODEL}
    whole = [{"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}]
    if asked.body.get("stream") is not True:
        return {**same, "choices": whole, "usage": usage()}
    return Events([(None, {**same, "choices": whole}), (None, "[DONE]")])


def infill(asked: Asked, text: str) -> dict | Events:
    """An answer of llama.cpp's `/infill`."""
    last = {"content": text, "stop": True, "stop_type": "eos", "tokens_predicted": 3, "tokens_evaluated": 9}
    if asked.body.get("stream") is not True:
        return last
    return Events([(None, {"content": text, "stop": False}), (None, {**last, "content": ""})])


def embedding() -> dict:
    """An answer of `/embeddings`."""
    one = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 0.125]}
    return {"object": "list", "data": [one], "model": MODEL, "usage": {"prompt_tokens": 2, "total_tokens": 2}}


def message(text: str) -> dict:
    """A message, as an item of a response."""
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}


def response(asked: Asked, item: dict) -> dict | Events:
    """An answer of `/responses` that is one item."""
    details = {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
    details["output_tokens_details"] = {"reasoning_tokens": 0}
    begun = {
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "model": MODEL,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "output": [],
        "parallel_tool_calls": False,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }
    tokens = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12, **details}
    ended = {**begun, "status": "completed", "output": [item], "usage": tokens}
    if asked.body.get("stream") is not True:
        return ended
    return Events(numbered(begun, item, ended))


def numbered(begun: dict, item: dict, ended: dict) -> list[tuple[str, dict]]:
    """The events by which a response of one item streams."""
    where = {"output_index": 0, "item_id": item["id"]}
    events = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress"}}),
    ]
    if item["type"] == "message":
        text = {**where, "content_index": 0}
        for part in chunks(item["content"][0]["text"]):
            events.append(("response.output_text.delta", {**text, "delta": part, "logprobs": []}))
    else:
        name = {"function_call": "response.function_call_arguments.delta"}.get(
            item["type"], "response.custom_tool_call_input.delta"
        )
        for part in chunks(item.get("arguments") or item.get("input") or ""):
            events.append((name, {**where, "delta": part}))
    events.append(("response.output_item.done", {"output_index": 0, "item": item}))
    events.append(("response.completed", {"response": ended}))
    return [(name, {"type": name, "sequence_number": at, **data}) for at, (name, data) in enumerate(events)]


class Server:
    """Listens on loopback until it is closed. `script` answers what is posted; models it lists by itself."""

    def __init__(self, script: Callable[[Asked], dict | Events | None]) -> None:
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One write for the head and one for the body: the second must not wait for the first to be confirmed.
            disable_nagle_algorithm = True

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.keep(Asked("GET", self.path, headers(self)))
                model = {"id": MODEL, "object": "model", "created": CREATED, "owned_by": "tests"}
                known = self.path.rstrip("/").endswith("/models")
                self.whole({"object": "list", "data": [model]} if known else None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                try:
                    asked = Asked("POST", self.path, headers(self), json.loads(body))
                except ValueError:
                    self.whole(None)
                    return
                outer.keep(asked)
                answer = script(asked)
                self.stream(answer) if isinstance(answer, Events) else self.whole(answer)

            def whole(self, answer: dict | None) -> None:
                missing = {"error": {"message": "not here", "type": "x", "param": None, "code": None}}
                body = json.dumps(missing if answer is None else answer).encode()
                self.send_response(404 if answer is None else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def stream(self, answer: Events) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for name, data in answer.events:
                    text = data if isinstance(data, str) else json.dumps(data)
                    event = f"event: {name}\ndata: {text}\n\n" if name else f"data: {text}\n\n"
                    self.chunk(event.encode())
                self.chunk(b"")

            def chunk(self, data: bytes) -> None:
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def keep(self, asked: Asked) -> None:
        with self.lock:
            self.asked.append(asked)

    def posted(self, path: str) -> list[Asked]:
        """What was posted to a path, in order."""
        with self.lock:
            return [asked for asked in self.asked if asked.method == "POST" and asked.path.endswith(path)]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def headers(handler: BaseHTTPRequestHandler) -> dict[str, str]:
    return {name.lower(): value for name, value in handler.headers.items()}

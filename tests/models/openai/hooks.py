"""Gives most generated questions a model that the broker has, else nearly all would end at its name; and has many of
them answered by a stream."""

import json
import zlib

import schemathesis

# An alias to a server of OpenAI's kind, one to llama.cpp's, and a name with its backend's. One in four keeps what was
# generated.
NAMES = ["scripted", "llama", "open/scripted", None]


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body
    if not isinstance(body, dict):
        return
    # By what was generated, so that a run can be repeated.
    rest, drawn = divmod(zlib.crc32(json.dumps(body, sort_keys=True, default=str).encode()), len(NAMES))
    name = NAMES[drawn]
    if name is None:
        return
    body = {**body, "model": name}
    if case.path != "/embeddings" and body.get("stream") in (None, False) and rest % 3 == 0:
        body["stream"] = True
    if case.path == "/completions" and name == "llama":
        # Few that are generated have a suffix, which the broker puts in llama.cpp's words.
        body.setdefault("suffix", "\n}")
    case.body = body

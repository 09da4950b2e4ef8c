"""A process that has imported everything and waits: told a folder on its standard input, it trains at once.

Importing torch, transformers and TRL takes 8 to 10 seconds; a person who presses Start should not wait for
it. It imports and nothing else: no tensor, no CUDA context, no database. Used once.
"""

import os

os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # asking for a GPU must not create a context

import importlib
import json
import signal
import sys
import threading
from pathlib import Path


def wait() -> int:
    """Imports, waits for one line `{"folder": …}`, carries out the order there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the launcher's to handle
    warm()
    line = sys.stdin.readline()
    if not line:
        return 0
    given = json.loads(line)
    os.environ.update(given["environment"])
    from worker.order import Order

    order = Order.read(Path(given["folder"]))
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    threading.Thread(target=_die_with_runner, daemon=True).start()
    return int(importlib.import_module(f"worker.{order.kind}").carry_out(order))


def warm() -> None:
    """What every training imports, the most used architectures included."""
    import peft  # noqa: F401
    import transformers.models.llama.modeling_llama
    import transformers.models.qwen2.modeling_qwen2
    import transformers.models.qwen3.modeling_qwen3  # noqa: F401
    import trl

    from worker import serve, train  # noqa: F401

    _ = trl.SFTTrainer, trl.SFTConfig  # trl imports lazily


def _die_with_runner() -> None:
    """The runner holds the other end of our standard input, and its death closes the pipe. Without a runner
    nobody would record what we do, so the whole process group goes."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    code = wait()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # nothing to tidy: interpreter shutdown after torch takes a second

"""What choices do to the process and to the model."""

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch

from tests.running import ROOT
from tests.worker.test_hardware import small_model
from worker import effects

FREEING = """
import psutil, torch
from worker import effects
effects.return_memory()
blocks, kept = [], []
for _ in range(20):
    blocks.append(torch.ones(4 * 2**20))
    kept.append(torch.ones(1000))
full = psutil.Process().memory_info().rss
blocks.clear()
print(full - psutil.Process().memory_info().rss)
"""


def test_freed_memory_goes_back_to_the_system() -> None:
    """Blocks of 16 MB between small ones that stay: glibc would keep them. In a process of its own, as a
    training is: in one that has freed much before, blocks come from what it kept."""
    done = subprocess.run(
        [sys.executable, "-c", FREEING], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 19 * 16 * 2**20


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # asked for by dynamo
def test_compiled_layers_train_to_the_same_gradients_and_leave_the_model_as_it_is() -> None:
    """Compiled by a backend that only records, since kernels are the GPU's matter."""
    recorded: list[int] = []

    def backend(graph: Any, _: Any) -> Any:
        recorded.append(len(graph.graph.nodes))
        return graph.forward

    ids = torch.randint(0, 1000, (2, 16))
    usual, compiled = small_model().train(), small_model().train()
    effects.compile_layers(compiled, backend=backend)
    for each in (usual, compiled):
        each(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    assert len(recorded) == 1  # one layer for all
    for (name, weight), (same, other) in zip(
        usual.named_parameters(), compiled.named_parameters(), strict=True
    ):
        assert name == same
        torch.testing.assert_close(weight.grad, other.grad)
    compiled.eval().generate(ids, max_new_tokens=3, do_sample=False, pad_token_id=0)
    assert len(recorded) == 1  # answering compiles nothing


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # asked for by dynamo
def test_a_copy_of_a_compiled_model_has_layers_of_its_own() -> None:
    model = small_model().train()
    effects.compile_layers(model, backend="eager")
    ids = torch.randint(0, 1000, (2, 16))
    twin = copy.deepcopy(model)
    twin(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    assert all(weight.grad is None for weight in model.parameters())
    assert all(weight.grad is not None for weight in twin.parameters())

"""What a training takes of its machine, measured beside it."""

import ctypes
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from studio import techniques
from tests.running import until
from worker import machine
from worker.machine import Gpus, Meter

# The calls of NVML that are used, as nvml.h declares them: two GPUs, the second a part of one.
DRIVER = r"""
#include <string.h>
typedef void *device;
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *found) {
  if (index > 1) return 6;
  *found = (device)(unsigned long)(index + 1);
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, device *found) {
  if (strcmp(uuid, "GPU-aaa") && strcmp(uuid, "MIG-bbb")) return 6;
  *found = (device)(unsigned long)(uuid[0] == 'G' ? 1 : 2);
  return 0;
}
int nvmlDeviceGetUtilizationRates(device of, struct { unsigned gpu, memory; } *found) {
  if (of == (device)2) return 3;
  found->gpu = 80; found->memory = 30;
  return 0;
}
int nvmlDeviceGetMemoryInfo(device of, struct { unsigned long long total, free, used; } *found) {
  found->total = 80000000000ull; found->free = 50000000000ull; found->used = 30000000000ull;
  return 0;
}
int nvmlDeviceGetPowerUsage(device of, unsigned *milliwatts) { *milliwatts = 350500; return 0; }
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's library in place of the one that is not here."""
    compiler = shutil.which("cc")
    assert compiler, "`make test` installs a C compiler"
    (tmp_path / "nvml.c").write_text(DRIVER)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-w", "-shared", "-fPIC", "-o", library, tmp_path / "nvml.c"], check=True)
    load = ctypes.CDLL
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: load(str(library)))


@pytest.mark.parametrize("names", [None, "0,1", "GPU-aaa,MIG-bbb"])
def test_gpus_are_asked_by_number_and_by_name_and_what_one_does_not_tell_is_left_out(
    driver: None, monkeypatch: pytest.MonkeyPatch, names: str | None
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if names is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)
    gpus = Gpus.visible()
    assert gpus
    assert gpus.read() == {"gpu_use": 0.8, "gpu_memory": 60.0, "gpu_power": 701.0}


def test_only_the_gpus_a_training_may_use_are_asked(driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-bbb")
    gpus = Gpus.visible()
    assert gpus
    assert gpus.read() == {"gpu_memory": 30.0, "gpu_power": 350.5}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert Gpus.visible() is None


def test_without_a_gpu_cores_and_memory_of_the_process_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gpus, "visible", lambda: None)
    meter = Meter(every=0.2)
    meter.start()
    began, found = time.monotonic(), {}
    while not found and time.monotonic() - began < 10:
        sum(range(100_000))  # something to measure
        found = meter.read()
    meter.stop()
    assert 0.05 < found["cpu_cores"] < 64
    assert 0.01 < found["process_memory"] < 64


def test_a_reading_is_the_mean_since_the_last_one_and_empty_before_anything_was_measured() -> None:
    values = iter([{"gpu_use": 9.0}, {"gpu_use": 0.2}, {"gpu_use": 0.6, "gpu_power": 10.0}])
    done = threading.Event()

    def source() -> dict[str, float]:
        found = next(values, None)
        if found is None:
            done.set()
        return found or {}

    meter = Meter(source, every=0.01)
    assert meter.read() == {}
    meter.start()
    done.wait(10)
    meter.stop()
    assert meter.read() == pytest.approx({"gpu_use": 0.4, "gpu_power": 10.0})
    assert meter.read() == {}


def test_measuring_costs_the_loop_next_to_nothing() -> None:
    meter = Meter(lambda: {"gpu_use": 0.5}, every=0.05)
    meter.start()
    until(meter.read, 10, "a first reading")
    began = time.perf_counter()
    for _ in range(1000):
        meter.read()
    meter.stop()
    assert (time.perf_counter() - began) / 1000 < 20e-6


def test_everything_measured_is_described(driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    gpus: Any = Gpus.visible()
    known = {info.key: info for info in techniques.get("sft").metrics}
    for key in [*gpus.read(), *machine.of_process()()]:
        assert known[key].group == "Throughput"
        assert known[key].help.endswith(".")

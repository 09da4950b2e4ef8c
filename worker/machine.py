"""What a training takes of its machine: how busy its GPUs are, their memory and power; without a GPU, the
cores and the memory of its process. Measured once a second by a thread of its own; the training loop only
picks up the means.

GPUs are asked through NVML, the driver's own library that nvidia-smi uses, with ctypes: nothing to install,
and the call lets other threads go on.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

import psutil

EVERY = 1.0  # seconds
GB = 1e9
Reading = dict[str, float]  # by the names of `studio.techniques.metrics`


class Meter:
    """Means of what `source` says, since they were last read."""

    def __init__(self, source: Callable[[], Reading] | None = None, every: float = EVERY):
        self._source, self._every = source, every
        self._sums: dict[str, tuple[float, int]] = {}
        self._lock, self._stopped = threading.Lock(), threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._measure, name="meter", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def read(self) -> Reading:
        """Empty where nothing was measured since."""
        with self._lock:
            sums, self._sums = self._sums, {}
        return {key: total / count for key, (total, count) in sums.items()}

    def _measure(self) -> None:
        source = self._source or source_here()
        source()  # a share of the processor is one since the last look
        while not self._stopped.wait(self._every):
            found = source()
            with self._lock:
                for key, value in found.items():
                    total, count = self._sums.get(key, (0.0, 0))
                    self._sums[key] = (total + value, count + 1)


def source_here() -> Callable[[], Reading]:
    """The GPUs this process may use; where there are none, the process itself."""
    gpus = Gpus.visible()
    return gpus.read if gpus else of_process()


def of_process() -> Callable[[], Reading]:
    me = psutil.Process()
    return lambda: {
        "cpu_cores": me.cpu_percent() / 100,
        "process_memory": me.memory_info().rss / GB,
    }


class Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))  # percent


class Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class Gpus:
    """Some GPUs, asked together: mean use, and the sum of memory and of power. What a GPU does not tell, as a
    part of one (MIG) does not its use, is left out."""

    def __init__(self, nvml: Any, handles: list[ctypes.c_void_p]):
        self._nvml, self._handles = nvml, handles

    @classmethod
    def visible(cls) -> "Gpus | None":
        """Those that CUDA_VISIBLE_DEVICES names, or all; None without a driver or without a GPU."""
        try:
            nvml = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return None
        if nvml.nvmlInit_v2() != 0:
            return None
        handles = [handle for name in _names(nvml) if (handle := _handle(nvml, name)) is not None]
        return cls(nvml, handles) if handles else None

    def read(self) -> Reading:
        uses = [found.gpu / 100 for found in self._ask("nvmlDeviceGetUtilizationRates", Utilization)]
        memory = [found.used / GB for found in self._ask("nvmlDeviceGetMemoryInfo", Memory)]
        power = [found.value / 1000 for found in self._ask("nvmlDeviceGetPowerUsage", ctypes.c_uint)]
        found = {"gpu_use": sum(uses) / len(uses)} if uses else {}
        found |= {"gpu_memory": sum(memory)} if memory else {}
        return found | ({"gpu_power": sum(power)} if power else {})

    def _ask(self, what: str, kind: type[Any]) -> list[Any]:
        found = []
        for handle in self._handles:
            answer = kind()
            if getattr(self._nvml, what)(handle, ctypes.byref(answer)) == 0:
                found.append(answer)
        return found


def _names(nvml: Any) -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    count = ctypes.c_uint()
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    return [str(number) for number in range(count.value)]


def _handle(nvml: Any, name: str) -> ctypes.c_void_p | None:
    handle = ctypes.c_void_p()
    if name.isdigit():
        code = nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(int(name)), ctypes.byref(handle))
    else:
        code = nvml.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle))
    return handle if code == 0 else None

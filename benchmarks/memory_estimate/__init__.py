"""How far the memory estimate is off: against published peaks, and against trainings measured here.

    python -m benchmarks.memory_estimate [--published | --measured] [--trace] [--only TEXT] [--json FILE]

**Published.** Peaks of trainings on one GPU whose whole configuration is known: model, rows, precision,
optimiser, checkpointing, adapter. They are of other programs (torchtune, peft, LitGPT), so the estimate is
told how these make their loss; everything else is the formula of `studio.estimate`. The context of CUDA is
left out, as in what they publish. What was left out, and why, is printed below the table.

**Measured.** Short real trainings of random models by this studio's trainer, each in a fresh process, on a
CPU by resident size. The libraries' share is measured in the same process, after its imports. `--trace`
traces each of them, too (`worker.trace_memory`). Where there is a GPU, its memory is measured instead.

Goal: median within 10 %, never under by more than 5 %.
"""

"""The settings of PPO: GRPOConfig's, since generation is GRPO's, and PPO's own."""

from dataclasses import dataclass, field

from trl import GRPOConfig


@dataclass
class PPOConfig(GRPOConfig):
    """One rollout is `per_device_train_batch_size` × `gradient_accumulation_steps` × `num_mini_batches`
    answers per process. Each is learned from `num_ppo_epochs` times, so a rollout lasts `num_ppo_epochs`
    × `num_mini_batches` steps. Settings of GRPO about groups, losses and its own KL are not read.

    Defaults are those of "The N+ Implementation Details of RLHF with PPO" (arXiv 2403.17031) and
    of the PPOConfig TRL had until 1.12, unless said otherwise. Raises ValueError for settings that cannot
    work."""

    learning_rate: float = field(default=3e-6, metadata={"help": "Step size of policy and critic."})
    lr_scheduler_type: str = field(
        default="linear", metadata={"help": "Annealed to zero: “37 implementation details”, number 4."}
    )
    adam_epsilon: float = field(
        default=1e-5, metadata={"help": "Adam's ε: “37 implementation details”, number 3."}
    )
    disable_dropout: bool = field(default=True, metadata={"help": "Without it the first ratio is not 1."})
    num_generations: int | None = field(default=1, metadata={"help": "Answers per prompt."})
    num_generations_eval: int | None = field(default=1, metadata={"help": "The same in evaluations."})
    num_ppo_epochs: int = field(default=4, metadata={"help": "How often each answer is learned from."})
    num_mini_batches: int = field(default=1, metadata={"help": "Steps in which a rollout is seen once."})
    gamma: float = field(default=1.0, metadata={"help": "Discount per token."})
    lam: float = field(default=0.95, metadata={"help": "λ of generalised advantage estimation."})
    cliprange: float = field(default=0.2, metadata={"help": "ε of the clipped objective."})
    cliprange_value: float | None = field(
        default=0.2, metadata={"help": "How far a value may move from the rollout's; None: freely."}
    )
    vf_coef: float = field(default=0.1, metadata={"help": "Weight of the value loss."})
    value_learning_rate: float | None = field(
        default=None, metadata={"help": "Step size of the critic; None: the policy's."}
    )
    kl_coef: float = field(default=0.05, metadata={"help": "β, the weight of the KL penalty; 0: none."})
    kl_estimator: str = field(default="k1", metadata={"help": "k1 (unbiased) or k3 (never negative)."})
    kl_target: float | None = field(
        default=None, metadata={"help": "Nats per answer that β is steered to; None: β is fixed."}
    )
    kl_horizon: float = field(
        default=10_000, metadata={"help": "Answers over which β may change by a fifth (Ziegler et al.)."}
    )
    whiten_rewards: bool = field(
        default=False, metadata={"help": "Scale rewards per token to variance 1, keeping their mean."}
    )
    whiten_advantages: bool = field(
        default=True, metadata={"help": "Scale advantages to mean 0 and variance 1 over a rollout."}
    )
    normalize_scores: bool = field(
        default=False, metadata={"help": "Scale scores by the mean and spread of all so far (PPO-max)."}
    )
    score_clip: float | None = field(
        default=None, metadata={"help": "Scores beyond ± this are cut to it; None: they are not."}
    )
    missing_eos_penalty: float | None = field(
        default=None, metadata={"help": "Taken from the score of an answer that never ended."}
    )
    target_kl: float | None = field(
        default=None,
        metadata={"help": "Leave a rollout once the policy has moved this many nats per token from it."},
    )

    def __post_init__(self) -> None:
        self._check()
        answers = int(self.num_generations or 1)
        self.steps_per_generation = self.gradient_accumulation_steps * self.num_mini_batches
        self.generation_batch_size = None
        self.num_iterations = self.num_ppo_epochs
        self.beta = 0.0  # GRPO's own KL; PPO's is part of the reward
        # GRPO insists on groups of two and more, which PPO has no use for: show it one group of everything.
        self.num_generations = self.per_device_train_batch_size * self.steps_per_generation
        super().__post_init__()
        self.num_generations = answers
        rollout = self.per_device_train_batch_size * self.steps_per_generation * self.world_size
        if rollout % answers:
            raise ValueError(f"A rollout of {rollout} answers cannot be split into {answers} per prompt.")

    def _check(self) -> None:
        if self.kl_estimator not in ("k1", "k3"):
            raise ValueError(f"kl_estimator must be k1 or k3, not {self.kl_estimator!r}.")
        if self.num_ppo_epochs < 1 or self.num_mini_batches < 1:
            raise ValueError("num_ppo_epochs and num_mini_batches must be 1 or more.")
        if self.per_device_train_batch_size * self.gradient_accumulation_steps * self.num_mini_batches < 2:
            raise ValueError("A rollout needs two answers or more, since advantages are whitened over it.")
        if self.kl_target is not None and not (self.kl_target > 0 and self.kl_coef > 0):
            raise ValueError("kl_target needs a kl_coef above 0 to start from, and must be above 0 itself.")
        if self.missing_eos_penalty is not None and self.missing_eos_penalty < 0:
            raise ValueError("missing_eos_penalty is taken from the score, so it must not be negative.")
        if self.cast_lm_head_to_fp32:
            raise ValueError("cast_lm_head_to_fp32 is not supported: the reference's head would differ.")
        if self.fp16 and self.target_kl is not None:
            raise ValueError(
                "target_kl leaves out steps, which fp16's loss scaling does not allow: use bf16."
            )

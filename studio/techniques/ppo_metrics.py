"""The charts of PPO: what its trainer logs, and what healthy values look like. Those it shares with
techniques on groups of answers are theirs."""

from studio.techniques import online, tools
from studio.techniques.metrics import NATS_OF_AN_ANSWER, Healthy, MetricInfo

OF_OTHERS = {metric.key: metric for metric in online.online_metrics()}
METRICS = [
    *(
        OF_OTHERS[key]
        for key in ("reward", "reward_std", "eval_reward_std", "rewards/*/mean", "rewards/*/std")
    ),
    *tools.METRICS,
    OF_OTHERS["entropy"],
    MetricInfo(
        "kl",
        "Distance from the start",
        "Policy",
        "How much likelier an answer is now than to the model it started from, summed over its tokens. Grows "
        "as it learns; a steep rise comes before gibberish.",
        unit="nats",
        healthy=NATS_OF_AN_ANSWER,
    ),
    MetricInfo("kl_coef", "KL weight", "Policy", "β in force; moves only with a KL target.", exact=True),
    MetricInfo(
        "approx_kl",
        "Moved since the rollout",
        "Clipping",
        "How far the policy is from the one that answered, per token. 0 in the first update of each rollout. "
        "High values say that the learning rate or the number of passes is too high.",
        unit="nats",
        healthy=Healthy(
            "37 implementation details of PPO leaves a rollout at 0.01 to 0.02; this is five times that",
            high=0.1,
        ),
    ),
    MetricInfo(
        "clip_ratio",
        "Clipped",
        "Clipping",
        "Share of tokens the clip holds back. Zero throughout says that the rate could be higher, a third "
        "that it is too high.",
        healthy=Healthy(online.CLIPPED_TOKENS.source, high=0.3),
    ),
    MetricInfo(
        "value_clip_ratio",
        "Values clipped",
        "Clipping",
        "Share of values the value clip holds back. If high, scores are large beside the clip: "
        "normalise them.",
        healthy=Healthy(
            "The studio's rule: beyond one half, it is the clip that says where values go", high=0.5
        ),
    ),
    MetricInfo(
        "explained_variance",
        "Foreseen",
        "Value model",
        "Share of the differences between returns that the value model foresaw. 0 at first, then rising; 1 "
        "is all. Well below 0 it misleads: raise its learning rate, or start it from the reward model.",
        healthy=Healthy("The studio's rule: 0 foresees nothing; a little below is chance", low=-0.2),
    ),
    MetricInfo("values/mean", "Expected score", "Value model", "Mean value over the tokens of a rollout."),
    MetricInfo("returns/mean", "Return", "Value model", "What the values should have been, on average."),
    MetricInfo("advantages/mean", "Advantage", "Value model", "Mean surprise per token, before whitening."),
    MetricInfo("advantages/std", "Spread of advantages", "Value model", "The same, its standard deviation."),
    *(metric for key, metric in OF_OTHERS.items() if key.startswith("completions/")),
    MetricInfo("loss", "Loss", "Loss", "Policy loss plus weighted value loss. Watch the reward instead."),
    MetricInfo("policy_loss", "Policy loss", "Loss", "Near zero: whitened advantages cancel."),
    MetricInfo(
        "value_loss",
        "Value loss",
        "Loss",
        "Half the squared error of the expected score. Falls while the value model catches up with the "
        "policy.",
    ),
    OF_OTHERS["aux_loss"],
    OF_OTHERS["learning_rate"],
    OF_OTHERS["grad_norm"],
    MetricInfo(
        "value_grad_norm",
        "Gradient norm of the value model",
        "Optimiser",
        "Clipped apart from the policy's, so that neither shortens the other's step.",
    ),
    MetricInfo(
        "update_skipped",
        "Updates left out",
        "Optimiser",
        "Share of updates not made because the policy had moved far enough; see “Leave a rollout at”.",
    ),
    OF_OTHERS["num_tokens"],
    OF_OTHERS["step_time"],
]

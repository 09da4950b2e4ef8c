"""A reward model learns to score answers as people would, so that it can judge what nobody has judged yet.

It learns from pairs of a chosen and a rejected answer, or from single answers with a rating. The language
model gets a head with one output in place of its words; after training, that number is higher for better
answers. It is not a model to talk to: it is a grader for PPO, RLOO or GRPO, for picking the best of several
answers, and for sorting data.

**When it fits.** Quality cannot be checked by a program, thousands of comparisons exist, and answers are to
be judged in numbers no person could read. Start it from the model that is to be trained by it, after
supervised fine-tuning.

**When it fails.** It is a stand-in: trained against for long enough, any model finds answers that it likes
and people do not. It knows nothing of answers unlike those it saw. If a program can tell right from wrong,
use that instead. Judge it by “Held-out accuracy”: two people agree on 65 to 80 % of everyday comparisons,
so expect no more there.

**Why these defaults.** One epoch, as InstructGPT found more to overfit; 1e-5 is near what InstructGPT and
Llama 2 used. A pull of 0.01 towards zero on the rewards keeps them comparable between prompts (arXiv
2312.09244, eq. 2). With an adapter, the head is trained whole and saved with it. Ratings are compared in
pairs where prompts have several rated answers, and learned as numbers where they have one.

**Reads.** Preference rows, or rated rows. Papers: Ouyang et al., arXiv 2203.02155; Bai et al., arXiv
2204.05862.
"""

from typing import Any, Literal

from studio.parameters import setting
from studio.techniques.base import (
    TEN_TIMES,
    RowParameters,
    Suggestion,
    Technique,
    is_tiny,
    suggested,
)
from studio.techniques.metrics import Healthy, MetricInfo, common_metrics
from studio.techniques.preference import LARGE, on_the_starter


class RewardParameters(RowParameters):
    learning_rate: float = setting(
        1e-5,
        "Learning rate",
        "How far each step moves the weights.",
        source="InstructGPT (arXiv 2203.02155): 9e-6; Llama 2 (arXiv 2307.09288): 1e-5",
        basic=True,
        gt=0,
        le=1,
    )
    num_train_epochs: float = setting(
        1.0,
        "Epochs",
        "How often the whole dataset is seen. Reward models overfit after one or two. Ignored when a maximum "
        "of steps is set.",
        source="InstructGPT, arXiv 2203.02155, appendix C.2",
        basic=True,
        gt=0,
        le=1000,
    )
    max_length: int = setting(
        1024,
        "Longest row",
        "Pairs with a longer answer are left out: half an answer cannot be judged.",
        unit="tokens",
        source="TRL RewardConfig default",
        basic=True,
        ge=16,
        le=1_000_000,
    )
    keep_best: bool = setting(
        True,
        "Keep the best",
        "The result is the checkpoint that did best on the held-out data, not the last one. Checkpoints are "
        "then made at each evaluation.",
        source="Reward models overfit early: arXiv 2203.02155, appendix C.2",
        ours=True,
    )
    ratings: Literal["auto", "pairs", "scores"] = setting(
        "auto",
        "Learn from ratings",
        "For rated rows. “pairs”: two answers to the same prompt, by which is rated higher. “scores”: the "
        "rating itself. “auto”: pairs where at least half of the rows can be compared.",
        source="The studio's choice: pairs ask for the order alone, scores for one scale of all raters",
        basic=True,
    )
    center_rewards_coefficient: float = setting(
        0.01,
        "Pull towards zero",
        "Keeps rewards centred, so that those of different prompts can be compared. 0: off.",
        source="arXiv 2312.09244, eq. 2",
        ge=0,
        le=10,
    )


def arguments(given: dict[str, Any], shape: str) -> dict[str, Any]:
    return {"center_rewards_coefficient": given["center_rewards_coefficient"] or None}


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    full, is_large = adapter == "full", size is not None and size >= LARGE
    if is_tiny(size):
        return on_the_starter(learning_rate=3e-4 if full else 3e-3, num_train_epochs=2.0)
    if not full:
        return suggested(TEN_TIMES, learning_rate=5e-5 if is_large else 1e-4)
    source = "Llama 2 (arXiv 2307.09288, section 3.2.2): 5e-6 for 70B, 1e-5 for smaller ones"
    return suggested(source, learning_rate=5e-6 if is_large else 1e-5)


TECHNIQUE = Technique(
    name="reward_model",
    title="Reward model",
    full_name="Reward model",
    summary="Learns to score answers from comparisons or ratings: a grader for reinforcement learning.",
    group="RLHF",
    phase=3,
    shapes=("preference", "rated"),
    reads="rated",
    trainer="worker.trainers.reward:RewardTrainer",
    config="worker.trainers.reward:RewardConfig",
    parameters=RewardParameters,
    arguments=arguments,
    suggestions=suggestions,
    handbook=__doc__,
    headline=("accuracy", "eval_accuracy"),
    metrics=[
        *common_metrics(),
        MetricInfo(
            "accuracy",
            "Ranking accuracy",
            "Ranking",
            "Share of comparisons in which the better answer gets the higher reward. One half is chance.",
            healthy=Healthy("One half is chance", low=0.5),
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "eval_accuracy",
            "Held-out accuracy",
            "Ranking",
            "The same on comparisons that the model does not train on: what a reward model is judged by.",
            healthy=Healthy(
                "arXiv 2403.17031: reward models of 1B to 6.9B come to 0.63 to 0.69 on people's comparisons",
                low=0.6,
            ),
            better="higher",
            is_share=True,
        ),
        MetricInfo(
            "margin",
            "Reward margin",
            "Ranking",
            "How much higher the better answer's reward is.",
            healthy=Healthy("Below 0 the worse answers get the higher reward", low=0),
        ),
        MetricInfo(
            "rating_error",
            "Rating error",
            "Ranking",
            "Root mean squared error of the predicted ratings, in units of the ratings.",
            better="lower",
        ),
        MetricInfo(
            "mean_reward",
            "Mean reward",
            "Rewards",
            "Should stay near zero.",
            healthy=Healthy(
                "The studio's rule; the pull towards zero (arXiv 2312.09244, eq. 2) holds it there",
                low=-2,
                high=2,
            ),
        ),
        MetricInfo("min_reward", "Lowest reward", "Rewards", "The lowest reward in the batch."),
        MetricInfo("max_reward", "Highest reward", "Rewards", "The highest reward in the batch."),
        MetricInfo("num_tokens", "Tokens seen", "Throughput", "Tokens trained on so far.", exact=True),
    ],
    aliases=("RM", "preference model", "Bradley-Terry", "ratings", "scorer", "RLHF"),
    paper="arXiv 2203.02155",
    model="reward",
    order=200,
)

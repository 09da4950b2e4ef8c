"""Which class of transformers reads a model of each kind. Imports nothing of studio or of the rest of worker,
so that an exported script can take it along."""

from typing import Any

from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSequenceClassification,
)

# A classifier's head sits beside the language model it reads.
CLASSES: dict[str, Any] = {
    "language": AutoModelForCausalLM,
    "reward": AutoModelForSequenceClassification,
    "classifier": AutoModelForCausalLM,
    "embedding": AutoModelForCausalLM,
}


def class_of(kind: str, source: str, **how: Any) -> Any:
    """Embeddings come from encoders too, and a classifier may read images; all else is one class a kind.
    `how` goes to the config's `from_pretrained`."""
    if kind not in ("embedding", "classifier"):
        return CLASSES[kind]
    config = AutoConfig.from_pretrained(source, **how)
    if kind == "embedding":
        speaks = (config.architectures or [""])[0].endswith("ForCausalLM")
        return CLASSES[kind] if speaks else AutoModel
    sees = type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    return (
        AutoModelForImageTextToText
        if sees and type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING
        else CLASSES[kind]
    )

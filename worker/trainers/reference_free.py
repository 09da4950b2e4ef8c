"""ORPO and SimPO: TRL's own trainers, which learn from pairs without a reference model.

TRL keeps them in its experimental corner and says so on import. The studio pins TRL's version, so that the
notice tells nobody anything; it is silenced here, once, and nothing else is. Adds nothing of its own.
"""

import warnings

from trl.import_utils import TRLExperimentalWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TRLExperimentalWarning)
    from trl.experimental.cpo import CPOConfig, CPOTrainer
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

__all__ = ["CPOConfig", "CPOTrainer", "ORPOConfig", "ORPOTrainer"]

"""Graders that need a model: what scores, for those in `studio.graders` that name a class here."""

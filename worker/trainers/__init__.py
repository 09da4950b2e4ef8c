"""Trainers TRL lacks, one module each. They import nothing of studio or of the rest of worker, so that an
exported script can carry them along."""

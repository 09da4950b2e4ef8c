"""What a model acts in while it answers, a module each: the public methods of its class are tools, whose
names, type hints and docstrings the model reads. An exception in one is told to the model and counted as a
failed call. Described for people in `studio/environments/`; they import nothing else of worker, so that an
exported script can carry them along."""

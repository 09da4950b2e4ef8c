"""Tests of the graders: samples (a file a grader), and what needs more than a sample."""

"""Behaviour checks: does each technique teach a model what it is meant to teach?"""

"""The front door: web pages, REST API and command line. Imports no torch and nothing of worker/."""

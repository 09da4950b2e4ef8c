# make            what there is
# make demo       from a fresh clone to a training run in the browser
#
# Everything is installed into .venv, from the versions in constraints.txt. A file in there remembers for which
# versions that was done, so a second `make` asks no network and takes no time.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
STATE := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
INSTALLED := $(VENV)/.installed-$(STATE)
READY_TO_TEST := $(VENV)/.ready-to-test-$(STATE)

# Without .pyc files the first import of the training libraries takes 22 s instead of 9, every time.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_QUIET := 2

.PHONY: help install run demo test lint format bench secrets lock clean

help: ## This list
	grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

install: $(INSTALLED) ## Everything the studio needs, into .venv

run: install ## Start the studio; Ctrl-C stops it (ARGS="--no-open" opens no browser)
	exec $(PYTHON) -m app.cli up $(ARGS)

demo: install ## The same, with the sample use case loaded and its first run started
	exec $(PYTHON) -m app.cli demo $(ARGS)

test: lint ## Lint, types, import directions, then every test (ARGS="tests/studio -x" for some)
	export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
	exec $(PYTHON) -m pytest $(ARGS)

lint: $(READY_TO_TEST) ## Ruff, mypy and import-linter
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports

format: $(READY_TO_TEST) ## Let ruff put the code in order
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: $(READY_TO_TEST) ## Every benchmark and behaviour check, one after the other: hours
	failed=()
	for each in $$(grep -l __main__ benchmarks/*.py benchmarks/behaviour/*.py); do
	  echo "== $$each"
	  name="$${each%.py}"
	  $(PYTHON) -m "$${name//\//.}" || failed+=("$$each")
	done
	if [ $${#failed[@]} -gt 0 ]; then echo "These failed: $${failed[*]}" >&2; exit 1; fi

clean: ## Remove .venv, caches and build leftovers; data stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- installing -------------------------------------------------------------------------------------------

# 3.11 first: it is the version everything is tested with.
define find_python
for name in $${TUNESMITH_PYTHON:-} python3.11 python3.12 python3.13 python3; do
  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$name"; break; fi
done
if [ -z "$${found:-}" ]; then
  echo "Tunesmith needs Python 3.11 or newer on PATH (or named by TUNESMITH_PYTHON)." >&2; exit 1
fi
endef

# A Debian machine has Python without its venv module.
define make_venv
if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv >/dev/null
  else
    echo "Python's venv module is missing. On Debian: sudo apt-get install python3-venv" >&2; exit 1
  fi
fi
"$$found" -m venv --clear $(VENV)
endef

# This project with these $$extras, at the versions of constraints.txt. uv is about ten times faster than pip;
# where it cannot be had, pip does the same. The bytecode is made for all of it at once, on every core.
define put
if [ -x $(VENV)/bin/uv ]; then
  $(VENV)/bin/uv pip install --quiet --python $(PYTHON) -c constraints.txt --no-build-isolation \
    -e ".[$$extras]"
else
  $(PYTHON) -m pip install --no-compile -c constraints.txt --no-build-isolation -e ".[$$extras]"
fi
$(PYTHON) -m compileall -q -q -j 0 $(VENV)/lib/python*/site-packages || true
endef

# torch comes first and alone, by pip: a build of it that the machine already offers is taken as it is.
$(INSTALLED): pyproject.toml constraints.txt
	if ! $(PYTHON) -c '' 2>/dev/null || ! grep -qF '$(CURDIR)/$(VENV)' $(VENV)/bin/activate; then
	  $(find_python)
	  echo "Making $(VENV) with $$("$$found" --version)"
	  $(make_venv)
	fi
	echo "Installing PyTorch (where there is a GPU, a download of some GB)"
	$(PYTHON) -m pip install --no-compile -c constraints.txt setuptools torch
	echo "Installing everything else"
	$(PYTHON) -m pip install -c constraints.txt uv || echo "uv is not to be had; pip takes longer."
	extras=web,worker
	if command -v nvidia-smi >/dev/null; then extras=$$extras,qlora; fi
	$(put)
	rm -f $(VENV)/.installed-* $(VENV)/.ready-to-test-*
	touch $@

$(READY_TO_TEST): $(INSTALLED)
	extras=web,worker,qlora,dev
	$(put)
	lacking=()
	command -v bwrap >/dev/null || lacking+=(bubblewrap)
	command -v cc >/dev/null || lacking+=(gcc libc6-dev)
	command -v chromium >/dev/null || lacking+=(chromium)
	command -v redis-server >/dev/null || lacking+=(redis-server)
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || lacking+=(postgresql)
	if [ $${#lacking[@]} -gt 0 ]; then
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	    echo "Installing $${lacking[*]}"
	    apt-get update -qq
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$${lacking[@]}" >/dev/null
	  else
	    echo "The tests also need these programs. On Debian: sudo apt-get install $${lacking[*]}" >&2; exit 1
	  fi
	fi
	touch $@

lock: $(INSTALLED) ## Refresh constraints.txt with the newest releases that pyproject.toml allows
	mkdir -p build
	sed '/^[^#]/d' constraints.txt > build/constraints.txt
	printf 'setuptools\nuv\n' | $(VENV)/bin/uv pip compile --quiet --upgrade --all-extras --universal \
	  --python-version 3.11 --no-annotate --no-header pyproject.toml - >> build/constraints.txt
	mv build/constraints.txt constraints.txt

# ---- the served studio ------------------------------------------------------------------------------------

SECRETS := secrets
DATABASE_AT := database:5432
BROKER_AT := broker:6379

# The folder is closed to everybody else (700). The files in it can be read by whoever may enter, because
# Compose mounts them as they are into containers whose users are not you. What exists is left alone.
secrets: ## Passwords for docker-compose.yml, into secrets/
	umask 022
	mkdir -p -m 700 $(SECRETS)
	random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
	keep() { [ -e "$(SECRETS)/$$1" ] || printf '%s' "$$2" > "$(SECRETS)/$$1"; }
	keep database_password "$$(random)"
	keep broker_password "$$(random)"
	keep tunesmith_secret "$$(random)"
	keep tunesmith_admin_password "$$(random)"
	keep tunesmith_database \
	  "postgresql+psycopg://tunesmith:$$(cat $(SECRETS)/database_password)@$(DATABASE_AT)/tunesmith"
	keep tunesmith_broker "redis://:$$(cat $(SECRETS)/broker_password)@$(BROKER_AT)/0"
	echo "Log in as admin with the password in $(SECRETS)/tunesmith_admin_password"

# Every command works on a fresh clone: what it needs is installed first, into .venv/ and nowhere else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-long check bench samples packages clean

demo: $(READY)
	@$(BIN)/python demo/run.py

test: $(READY) packages check
	$(BIN)/python -m pytest -m "not long"

test-long: $(READY) packages
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check transpiler runtime server tests demo bench
	$(BIN)/mypy

bench: $(READY) packages
	$(BIN)/python bench/run.py

# The committed translations of the samples, after a change to the compiler or to a sample.
samples: $(READY)
	$(BIN)/moonpost compile samples

# Debian programs that tests talk to. Without the right to install them those tests are skipped by name.
packages:
	@sh tests/install_peers.sh

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	-@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
		-c constraints.txt -d $(VENV)/suites pyspf
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

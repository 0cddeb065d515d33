# Two commands do everything: `make run` runs the course, `make test` proves it. Each sets up .venv first (once, then in
# no time) and needs no activated environment. Windows without make: see README.md.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11, 5) <= sys.version_info[:3] < (3, 14))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
BACKEND ?= jax
# Real data without a network: a folder beside the checkout with the layout that data/sets names.
COURSE_DATA_MIRROR ?= $(wildcard $(abspath ../shared/data))
export COURSE_DATA_MIRROR
PROOF := build/proof
# What `make test` spends on proofs that a change has made necessary again; `make proof` makes all.
PROOF_MINUTES ?= 5
JUDGE := $(BIN)/pytest -p helpers.course.playback -p no:cacheprovider -o testpaths= --tb=no --no-header \
	--nbval-sanitize-with tests/notebooks/sanitise.cfg

.PHONY: run full test test-quick test-notebooks proof test-backends test-browser bench lab app serve site test-site lock setup clean

run: setup
	@$(BIN)/course run

full: setup
	@$(BIN)/course run --profile full

# The last lines name what failed, notebook, cell and cause, and what is still owed.
test: test-quick test-notebooks
	@$(BIN)/course proof --budget $(PROOF_MINUTES) --kind stand-ins
	@$(BIN)/course proof --owed

test-quick: setup
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/course check
	@$(BIN)/pytest -n 2

# One execution proves a notebook: what the runner demands of it, and then nbval on the executed copies.
test-notebooks: setup
	@$(BIN)/course run --out $(PROOF); ran=$$?; $(JUDGE) --executed $(PROOF) notebooks && exit $$ran

proof: setup
	@$(BIN)/course proof

# The same source and the same claims on another Keras backend, in a throw-away environment: BACKEND=jax or torch
test-backends: setup
	@$(BIN)/python helpers/course/setup.py --backend $(BACKEND)
	@KERAS_BACKEND=$(BACKEND) build/venv-$(BACKEND)/bin/pytest tests/unit/test_training.py
	@KERAS_BACKEND=$(BACKEND) build/venv-$(BACKEND)/bin/course run --out build/run-$(BACKEND)

# Opens the notebooks in JupyterLab in headless Chromium and runs all cells; needs Chromium (Debian: apt install chromium)
test-browser: setup
	@$(BIN)/python -m uv pip install -q --python $(BIN)/python -e '.[browser]'
	@$(BIN)/pytest -m browser tests/browser

# Our code and the alternatives in turn; BENCH names some: make bench BENCH="windows data"
bench: setup
	@$(BIN)/python -m benchmarks $(BENCH)

lab: setup
	@$(BIN)/jupyter lab notebooks/00_start_here.ipynb

# Notebook 29's advisor as a page of its own, served by Voilà (without it, in JupyterLab); ARGS go to the server
app: setup
	@$(BIN)/python -m uv pip install -q --python $(BIN)/python -e '.[app]' || echo "Voilà could not be installed." >&2
	@$(BIN)/python -m helpers.app $(ARGS)

# Notebook 57's model behind a server on 127.0.0.1, port 8057; trained once, into build/service; ARGS go to the server
serve: setup
	@$(BIN)/python -m helpers.service $(ARGS)

# The course as pages that need no kernel and no network, in build/site
site: setup
	@$(BIN)/python helpers/course/setup.py --site
	@$(BIN)/course site

# Opens the site in headless Chromium: search, dark mode, a phone's width, formulas, contrast; and three slide decks
test-site: site
	@$(BIN)/python -m uv pip install -q --python $(BIN)/python -e '.[browser,slides]'
	@$(BIN)/pytest -m site tests/site

lock: setup
	@$(BIN)/python helpers/course/setup.py --lock

setup:
	@test -n "$(PYTHON)" || { echo "No Python 3.11.5 to 3.13 found. Install one, or name it: make run PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" helpers/course/setup.py

# What a reader typed stays: notebooks in build/ that no run wrote, or that were changed since.
clean:
	@PYTHONDONTWRITEBYTECODE=1 "$(PYTHON)" -m helpers.course.folder
	@rm -rf .venv .pytest_cache .ruff_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

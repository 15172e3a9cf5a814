# The Neural Collapse Companion: every command works alone from a fresh clone.
PYTHON ?= python3
VENV ?= .venv
PROFILE ?= smoke
JOBS ?=

BIN := $(VENV)/bin
# The environment is as good as what it was made from: a hash of it names the stamp.
STAMP := $(VENV)/.ready-$(shell cat pyproject.toml constraints.txt | cksum | tr ' ' -)
UNFINISHED := $(VENV)/.unfinished

# Whatever the user's shell says: a hundred processes would compile what they import.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help book test notebooks env clean site lint types unit nbval browser
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo "make book       run every chapter (PROFILE=smoke), build the HTML, say where it is"
	@echo "make test       build the book strictly, then lint, types, tests, notebooks, browser"
	@echo "make notebooks  refresh the committed outputs of the notebooks (the only command"
	@echo "                that writes into notebooks/)"
	@echo "make env        make or renew the environment in $(VENV)"
	@echo "make clean      remove build/ (the environment stays)"
	@echo
	@echo "PYTHON=python3.12  the interpreter to make the environment with (3.11 or newer)"
	@echo "VENV=path          where the environment is"
	@echo "PROFILE=laptop     at which profile make book runs the chapters (smoke, laptop, paper)"
	@echo "JOBS=2             how many chapters at once (all cores)"

book: env
	@$(BIN)/nclib book --profile $(PROFILE) $(if $(JOBS),--jobs $(JOBS))

test: env site lint types unit nbval browser

notebooks: env
	@$(BIN)/nclib notebooks

env: $(STAMP)

# An installation that was interrupted leaves its mark, and the next one starts afresh. The 19,000
# files are compiled on all cores, not on one as by pip; those that are no Python are passed over.
$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1):" \
	       "name another, as in: make PYTHON=python3.12 book" >&2; exit 1; }
	@if [ -e $(UNFINISHED) ] || [ ! -x $(BIN)/python ]; then \
	  echo "Making the environment in $(VENV)"; $(PYTHON) -m venv --clear $(VENV); fi
	@touch $(UNFINISHED)
	@echo "Installing what constraints.txt pins (a few minutes, about 7 GB with CUDA)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  -c constraints.txt -e ".[book,test,dev]"
	@$(BIN)/python -W ignore -m compileall -qq -j 0 -x '/tests/' $(VENV)/lib || true
	@rm -f $(VENV)/.ready-* $(UNFINISHED)
	@touch $@

site: env
	@$(BIN)/nclib book --profile smoke

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: env
	$(BIN)/mypy

# Files keep their order: those with few tests, which xdist would put last, are the longest.
unit: env
	OMP_NUM_THREADS=1 $(BIN)/pytest tests --ignore tests/book \
	  -n auto --dist loadfile --no-loadscope-reorder

# The book has just executed the chapters as they stand: nbval compares what it computed.
nbval: env site
	PYTHONPATH=tests $(BIN)/pytest -p replay --nbval notebooks

browser: env
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/book -n auto --dist worksteal

clean:
	rm -rf build

# Everything the project does. Each target first makes .venv, with the versions of constraints.txt, when it is
# missing or older than pyproject.toml or constraints.txt.

PROFILE ?= default

VENV := .venv
STAMP := $(VENV)/.up-to-date
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

# ensurepip, since some Linux distributions ship a Python that cannot fill a virtual environment.
PYTHONS := $(or $(PYTHON),python3 python python3.13 python3.12 python3.11)
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

.PHONY: help book test types suite lab bench clean

help:
	@echo "make book [PROFILE=quick|default|full|paper]   scan the model, run the notebooks, build _build/html"
	@echo "make lab                                       open the notebooks in JupyterLab"
	@echo "make test                                      format, lint, types, all tests"
	@echo "make bench                                     speed and memory, as ratios of one run"
	@echo "make clean                                     remove all that these made here"

book: $(STAMP)
	$(IN_VENV) nbkit book --profile $(PROFILE)

test: $(STAMP)
	$(IN_VENV) ruff format --check .
	$(IN_VENV) ruff check .
	@$(MAKE) --no-print-directory --keep-going --jobs=2 types suite

# Its lines together and in the end, since pytest's dots come meanwhile.
types: $(STAMP)
	@$(IN_VENV); said=$$(mypy 2>&1); failed=$$?; printf '\nmypy: %s\n' "$$said"; exit $$failed

# A file's tests stay in one worker, with what its fixtures made; those that take longest come early by their names.
suite: $(STAMP)
	$(IN_VENV) python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder

lab: $(STAMP)
	$(IN_VENV) jupyter lab book

bench: $(STAMP)
	$(IN_VENV) python -m tests.benchmark

clean:
	rm -rf $(VENV) _build .mypy_cache .pytest_cache .ruff_cache .hypothesis nbkit.egg-info
	find book nbkit tests \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# Without its Python (removed or replaced on this machine) or pip (interrupted at once) .venv is as good as missing.
READY := import pip; $(SUITABLE)
$(shell $(VENV)/bin/python -c '$(READY)' 2>/dev/null || rm -f $(STAMP))

$(STAMP): pyproject.toml constraints.txt
	@if ! $(VENV)/bin/python -c '$(READY)' 2>/dev/null; then \
	  for python in $(PYTHONS); do \
	    if $$python -c '$(SUITABLE)' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "nbkit needs Python 3.11, 3.12 or 3.13 with its venv module; none of these is one: $(PYTHONS)." \
	      "Install it (on Debian and Ubuntu also the package python3-venv)," \
	      "or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
	    exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$($$found --version); installing all that is in constraints.txt takes a few minutes."; \
	  rm -rf $(VENV) && $$found -m venv $(VENV); \
	fi
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# Everything runs in one virtual environment, .venv at the root of the repository. Needs GNU make and
# Python 3.11 or newer; `make PYTHON=python3.12 install` picks another interpreter.

PYTHON ?= python3
VENV := .venv
WORKERS ?= 2

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CREPITUS := $(BIN)/crepitus
DEMO := build/demo

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install test lint format demo clean

help: ## list the targets
	@echo 'Crepitus: make TARGET'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## create .venv with the package and everything that training and the tests need

# The stamp is written last: an installation that was interrupted is done again.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Expected Python 3.11 or newer, '$(PYTHON)' is: $$($(PYTHON) --version 2>&1 | head -n 1)." \
	       "Name another one: make PYTHON=python3.12 install" >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  echo "Creating $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing into $(VENV) (about 2 minutes, 6 GB) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	@touch $(STAMP)
	@echo "Installed: $$($(CREPITUS) --version)"

# One thread per worker: two workers that start one thread per core each would only wait for one another.
# A file stays with one worker, so that what its tests share is made once.
test: $(STAMP) ## run all tests
	@OMP_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(STAMP) ## check style, types and the layers between the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## bring the code into the project's format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

# Every step prints itself; the first that fails ends the demo. The radius of the evaluation is the paper's
# 50 px on 1,024 px as a share of the image's side: 50 px of 256 would reach over a whole limb.
demo: $(STAMP) ## from nothing to a report: phantoms, training, prediction, evaluation (under 10 minutes)
	rm -rf $(DEMO)
	@printf '\n1/6  360 synthetic radiographs of hips, and 8 more as DICOM files\n'
	$(CREPITUS) phantom femur --preset easy --kind A3 --count 360 --size 256 --seed 7 --out $(DEMO)/data
	$(CREPITUS) phantom femur --preset easy --kind A3 --count 8 --size 256 --seed 8 --dicom --out $(DEMO)/new
	@printf '\n2/6  five folds, no patient in two of them\n'
	$(CREPITUS) split $(DEMO)/data --folds 5 --seed 0
	@printf '\n3/6  training on the fracture points, fold 0 kept for the test\n'
	$(CREPITUS) train window-loss --data $(DEMO)/data --fold 0 --config configs/window-loss/demo.toml --out $(DEMO)/run
	@printf '\n4/6  prediction for the test images\n'
	$(CREPITUS) predict $(DEMO)/run $(DEMO)/data --split test --out $(DEMO)/predictions
	@printf '\n5/6  evaluation and report\n'
	$(CREPITUS) evaluate $(DEMO)/predictions --data $(DEMO)/data --bootstrap 1000 --radius-rel 0.0488
	@printf '\n6/6  DICOM files of 8 new patients, the way a hospital would ask\n'
	$(CREPITUS) predict $(DEMO)/run $(DEMO)/new/dicom --out $(DEMO)/dicom
	@printf '\nReport:           %s\n' $(DEMO)/predictions/report.html
	@printf 'Overlay pictures: %s\n' $$(find $(DEMO)/dicom -name '*.png' | LC_ALL=C sort)

clean: ## remove the demo and all caches; .venv and the rest of build/ stay
	rm -rf $(DEMO) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

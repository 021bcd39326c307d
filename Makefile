# Everything a maker needs: `make test`, `make demo`, `make app`, `make lint`, `make live`.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup test demo app screenshots bundle lint live clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

test: setup  ## the whole suite, without torch and without a network
	$(BIN)/python -m pytest

demo: setup  ## pictures, clips, a page and a box: questions that the demo model answers
	@$(BIN)/python -m mlx_glm45v.demo

app: setup  ## the desktop app, talking to the demo model
	$(BIN)/python -m app

screenshots: setup  ## pictures of the app in all its scenes, into build/screenshots
	$(BIN)/python tools/screenshots.py

bundle: setup  ## the macOS app, unsigned, into build (on a Mac)
	$(BIN)/python -m pip install --quiet 'briefcase>=0.4.7,<0.5'
	$(BIN)/briefcase create macOS app --no-input
	$(BIN)/briefcase build macOS app --no-input

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

$(VENV)/.reference: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev,reference,peers]'
	@touch $@

live: $(VENV)/.reference  ## the comparison with transformers and mlx-vlm, run side by side
	$(BIN)/python -m pytest tests/live

clean:
	rm -rf $(VENV) build dist *.egg-info

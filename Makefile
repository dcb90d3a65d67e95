# Every target does its own set-up; only Python 3.10 to 3.13 and a package registry are needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test slow lint clean

demo: $(VENV)/installed
	$(BIN)/python recipes/dcgan_mnist.py

# Most of a test's time is spent in tracing, on one core: two processes take half as long.
test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal

slow: $(VENV)/installed
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

# The stamp is newer than setup.py only after a complete install.
$(VENV)/installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)

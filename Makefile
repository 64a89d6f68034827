# make book   the library installed, every chapter executed, the pages built
# make test   the tests
# make reproduce   every table and figure of the paper, in results/$(PROFILE)/; DEVICE=cpu: without a GPU
# make assignments   the students' versions, in book/assignments/release/
# make grade   what lies in book/assignments/downloaded/ or submitted/: scores in grades.csv, pages in feedback/
# All need Python 3.11 to 3.13 with venv, nothing else; the second time they do only what changed (test and grade: all).

SHELL := /bin/bash -o pipefail
PROFILE ?= quick
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
BIN := .venv/bin
OUT := _build/$(PROFILE)

CHAPTERS := $(wildcard book/[0-9]*.ipynb)
EXECUTED := $(CHAPTERS:book/%=$(OUT)/%)
LIBRARY := $(shell find cofinal_lib -name '*.py' -o -name '*.csv' -o -name '*.txt' -o -name '*.toml' -o -name '*.yml')
# What chapters show: ours, and a reader's own.
RESULTS := $(wildcard results/reference/* results/reference/*/*.csv results/*/*.csv)
PAGES := $(wildcard book/*.md) book/_toc.yml book/references.bib _config.yml

.PHONY: book test reproduce assignments grade lint lock clean FORCE
.DELETE_ON_ERROR:

book: _build/html/index.html
	@echo "The book: file://$(CURDIR)/_build/html/index.html"

test: .venv/installed lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

reproduce: .venv/installed
	$(BIN)/cofinal reproduce --profile $(PROFILE) $(if $(DEVICE),--device $(DEVICE))

assignments: .venv/installed
	$(BIN)/python -m cofinal_lib.classroom release

grade: assignments
	$(BIN)/python -m cofinal_lib.classroom grade

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --keep-id --verify $(CHAPTERS) book/experiments/*.ipynb book/assignments/source/*/*.ipynb

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "make: $(PYTHON) is no Python 3.11 to 3.13; install one, or say make PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -m venv .venv || \
	  { echo "make: $(PYTHON) cannot make .venv; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# What an executed chapter depends on beside its own cells: profile, device and data. The file changes when they do.
$(OUT)/circumstances.json: FORCE .venv/installed
	@mkdir -p $(OUT)
	@$(BIN)/python data_scripts/circumstances.py $(PROFILE) > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# A failed chapter keeps its notebook, error and all, as <chapter>.failed.ipynb.
$(OUT)/%.ipynb: book/%.ipynb $(LIBRARY) $(RESULTS) requirements.lock $(OUT)/circumstances.json
	@echo "executing $< (profile $(PROFILE))"
	@$(BIN)/papermill --kernel python3 --parameters profile $(PROFILE) $< $(OUT)/$*.failed.ipynb
	@sed 's/"injected-parameters"/&, "remove-cell"/' $(OUT)/$*.failed.ipynb > $@.new && rm $(OUT)/$*.failed.ipynb
	@mv $@.new $@

# Which profile the pages show: they are made anew when it is another.
_build/profile: FORCE
	@mkdir -p _build
	@echo $(PROFILE) | cmp -s - $@ || echo $(PROFILE) > $@

# Sphinx repeats no warning for a page it has seen: after a failed build the pages go, so that the next one fails too.
_build/html/index.html: $(EXECUTED) $(PAGES) $(wildcard book/_static/*) _build/profile
	cp -r $(filter-out _config.yml,$(PAGES)) book/_static $(OUT)/
	$(BIN)/jupyter-book build $(OUT) --config _config.yml --path-output . -W -n --keep-going || \
	  { rm -rf _build/html _build/.doctrees; exit 1; }

# The versions of a fresh install, exact; no local build tags, no addresses. Torch's GPU packages, which its wheels for
# Linux pin themselves, are left out: they come where the wheel wants them.
TORCH := 2.13.0
lock:
	rm -rf _build/lock && $(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install --disable-pip-version-check hatchling editables
	_build/lock/bin/python -m pip install --disable-pip-version-check torch==$(TORCH) '.[book,classroom,dev]'
	_build/lock/bin/python -m pip freeze --all --exclude pip --exclude cofinal-book | grep -vE '^(nvidia|cuda|triton)' | \
	  sed 's/+[a-z0-9.]*$$//' > requirements.lock
	rm -rf _build/lock

clean:
	rm -rf _build

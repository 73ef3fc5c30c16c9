# Every target installs what it needs first. A second run skips what is up to date.
#
#   make demo       the gallery, at the address that it prints             ARGS="--port 8000 --htmx 4"
#   make test       every check and every test                             ARGS="-k todo --headed" goes to pytest
#   make test-fast  all tests without a browser, in under three minutes
#   make fuzz       sends hostile requests for some minutes          SSE_FUZZ_EXAMPLES=50000
#   make test-engines  the core of the tests in Firefox and WebKit as well (Debian)
#   make test-newest  tests with the newest version of every dependency, in an environment of their own
#   make check      lint, formatting, types and the version, of both languages
#   make format     formats both languages
#   make bench      fan-out against the C floor and other servers (Linux, cc)  ARGS="--clients 1000 --rounds 5"
#   make pictures   takes the pictures of the README again
#   make build      wheel and sdist in dist/
#   make clean      removes what these targets made

ARGS =
# Two files of tests run at once.
AT_ONCE = --numprocesses 2 --dist loadfile
PYTHON_IN_VENV = .venv/bin/python
# Files that stand for what is installed. If one is older than its sources, it is installed again.
DEMO = .venv/with-demo
DEVELOPMENT = .venv/with-development
NODE_MODULES = node_modules/.package-lock.json

.PHONY: help demo test test-fast fuzz test-engines test-newest check format bench pictures build clean programs

help:
	@sed -n 's/^#   //p' Makefile

demo: $(DEMO)
	$(PYTHON_IN_VENV) -m sse_components $(ARGS)

test: check programs
	npm test --silent
ifeq ($(strip $(ARGS)),)
	$(PYTHON_IN_VENV) -m pytest tests $(AT_ONCE)
	$(PYTHON_IN_VENV) -m pytest e2e $(AT_ONCE) --ignore e2e/test_engines.py
else
	$(PYTHON_IN_VENV) -m pytest $(ARGS)
endif

# Wheels and proxies are left to `make test`.
test-fast: $(DEVELOPMENT) $(NODE_MODULES)
	npm test --silent
	$(PYTHON_IN_VENV) -m pytest tests $(AT_ONCE) --ignore tests/test_wheel.py --ignore tests/test_deployment.py

SSE_FUZZ_EXAMPLES ?= 20000
fuzz: $(DEVELOPMENT)
	SSE_FUZZ_EXAMPLES=$(SSE_FUZZ_EXAMPLES) SSE_TEST_PATIENCE=10 $(PYTHON_IN_VENV) -m pytest tests/security/test_fuzz.py -o timeout=36000

# Apart from `make test` until they have been green there for long enough.
test-engines: programs
	@scripts/setup.sh engines
	$(PYTHON_IN_VENV) -m pytest e2e/test_engines.py $(ARGS)

# The upper bounds are for users: what is new is tested before they are raised.
test-newest: $(NODE_MODULES) | .venv/bin/python
	$(PYTHON_IN_VENV) -m venv --clear .venv/newest
	.venv/newest/bin/python -m pip install --quiet --upgrade pip
	.venv/newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable '.[demo,redis]' --group dev
	.venv/newest/bin/python -m pip install --quiet --upgrade python-fasthtml starlette uvicorn
	.venv/newest/bin/python -m pytest tests $(AT_ONCE) --ignore tests/test_wheel.py --ignore tests/test_deployment.py

check: $(DEVELOPMENT) $(NODE_MODULES)
	$(PYTHON_IN_VENV) -m ruff check
	$(PYTHON_IN_VENV) -m ruff format --check
	$(PYTHON_IN_VENV) -m mypy
	npm run check --silent
	@scripts/audit.sh $(PYTHON_IN_VENV)
	@version=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml); grep -q "^## .*$$version" CHANGELOG.md || \
	  { echo "CHANGELOG.md has no section for version $$version of pyproject.toml" >&2; exit 1; }

format: $(DEVELOPMENT) $(NODE_MODULES)
	$(PYTHON_IN_VENV) -m ruff check --fix
	$(PYTHON_IN_VENV) -m ruff format
	npm run format --silent

bench: $(DEVELOPMENT)
	$(PYTHON_IN_VENV) benchmarks/fanout.py $(ARGS)

pictures: $(NODE_MODULES) programs
	$(PYTHON_IN_VENV) -m e2e.pictures

build: $(DEVELOPMENT)
	$(PYTHON_IN_VENV) -m build

clean:
	rm -rf .venv node_modules dist build test-results .mypy_cache .pytest_cache .ruff_cache .hypothesis

programs: $(DEVELOPMENT)
	@scripts/setup.sh browser
	@scripts/setup.sh servers

.venv/bin/python:
	scripts/setup.sh venv

$(DEMO): pyproject.toml | .venv/bin/python
	$(PYTHON_IN_VENV) -m pip install --quiet --editable '.[demo]'
	touch $@

$(DEVELOPMENT): pyproject.toml | .venv/bin/python
	$(PYTHON_IN_VENV) -m pip install --quiet --editable '.[demo]' --group dev
	touch $@

$(NODE_MODULES): package.json package-lock.json .npmrc
	scripts/setup.sh node
	npm ci --loglevel=error

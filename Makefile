# Everything below installs what it needs: Python packages under .cache/, Debian packages with root or sudo.
# `make help` says what there is.

PYTHON ?= python3
ARGS ?=
SUITES ?= bookworm
TESTS = $(PYTHON) tools/run_tests.py
export PYTEST_ARGUMENTS = $(ARGS)
export CORACLE_VM_SUITES = $(SUITES)

.PHONY: help demo demo-clean test lint unit integration test-vm bench changelog build clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  ARGS='-k name' (options and paths) is passed on to pytest; '-n 3' runs tests in three processes."
	@echo "  SUITES=bookworm,trixie are the Debian releases of the virtual machines: both in 'make test',"
	@echo "  bookworm in 'make test-vm'."

demo: ## a web server in a container on this machine, from nothing; tells what it did and what to type next
	@$(PYTHON) tools/demo.py

demo-clean: ## remove everything that the demo made
	@$(PYTHON) tools/demo.py --clean

test: SUITES = bookworm,trixie
test: ## everything that continuous integration runs: lint, unit, integration and system tests
	@$(TESTS) lint unit integration system

lint: ## linters and ansible-test sanity
	@$(TESTS) lint

unit: ## unit tests, on every supported Python found
	@$(TESTS) unit

integration: ## integration tests: real containers, registries and networks on this machine
	@$(TESTS) integration

test-vm: ## system tests: a Debian virtual machine driven over ssh, rebooted for real
	@$(TESTS) system

bench: ## measure against bare conmon and crun, and other engines; writes docs/benchmarks.md
	@$(TESTS) bench

changelog: ## make a release entry from changelogs/fragments for the version in galaxy.yml
	@$(PYTHON) tools/programs.py lint antsibull-changelog release

build: ## the collection as an archive for ansible-galaxy
	@$(PYTHON) tools/programs.py test ansible-galaxy collection build --force

clean: ## forget caches and environments
	rm -rf .cache collections tests/output coracle-engine-*.tar.gz

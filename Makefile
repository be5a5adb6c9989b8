# One definition of every task, for the laptop and for CI. `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-bluez check lint fuzz bench audit documents

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP)  ## build .venv, with uv where it is installed; again only when pyproject.toml or the page's source changed

WEB := $(shell find gateway/web gateway/hatch_build.py -type f -not -path '*/node_modules/*')

$(STAMP): pyproject.toml $(WEB)
	@.ci/build_venv $(VENV)
	@touch $@

demo: venv  ## two simulated wraps, a broker, the gateway and one recovery session
	$(BIN)/wavewrap demo

test: venv  ## every test that needs no hardware
	@.ci/fetch_asyncapi_schema
	$(BIN)/pytest -n 2 --dist loadfile

lint: venv  ## style, types and the contracts between the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --namespace-packages --explicit-package-bases tests
	$(BIN)/lint-imports

test-bluez: venv  ## the link cases on a real bluetoothd in emulated guests: needs QEMU and BlueZ, some eight minutes
	tests/bluez/run

fuzz: venv  ## 200,000 inputs to every decoder of the wire, 50,000 hostile writes to the firmware
	$(BIN)/python tests/fuzz/fuzz_codec.py
	$(BIN)/python tests/fuzz/fuzz_firmware.py

# One after the other, so that the last line is that of pytest, also under make -j.
check:  ## all of lint, audit, fuzz and test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory audit
	@$(MAKE) --no-print-directory fuzz
	@$(MAKE) --no-print-directory test

bench: venv  ## every bench, each against its limits
	$(BIN)/wavewrap bench all

documents: venv  ## write protocol/asyncapi.json and protocol/schemas/ anew from the models; a test holds them equal
	$(BIN)/wavewrap protocol write protocol

audit: venv  ## known holes in the installed packages; says so where no service can be asked
	.ci/audit $(BIN)/python

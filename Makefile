# run · test · bench · deb. Each target installs from apt what it needs and the machine lacks.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: run build test lint bench performance deb functions clean cargo run-tools test-tools lint-tools bench-tools

# Where `make run` keeps its database, secrets and voicemail.
DATA ?= $(CURDIR)/offhook-data
TARGET := $(or $(CARGO_TARGET_DIR),target)

## Builds the appliance, starts it on embedded defaults and proves it with real calls; then serves.
run: run-tools build
	@$(TARGET)/release/offhook run --data "$(DATA)"

build: cargo
	cargo build --release --locked -p offhook

## Everything that is checked: format, lints, docs, and all tests with real user agents.
test: test-tools lint
	cargo test --workspace --locked

lint: cargo lint-tools
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet

## Prints a table of figures and writes target/bench/figures.json.
bench: bench-tools build
	python3 tests/bench/run.py

## Measures how cost grows from 10 to 2,000 calls, and writes docs/performance.md and its picture.
performance: bench-tools build
	cargo run --release --locked --quiet -p offhook-bench -- --offhook $(TARGET)/release/offhook --growth docs

## A Debian package in target/deb/.
deb: build
	systemd/make-deb

# Which processor the functions of AWS Lambda are for: arm64 or x86_64.
ARCH ?= arm64

## Builds the functions of AWS Lambda: target/functions/sma-function.zip and connect-function.zip.
functions: cargo
	edge/chime/deploy/make-functions $(ARCH) $(TARGET)/functions

clean: cargo
	cargo clean

cargo:
	@command -v cargo >/dev/null || { echo "Rust is missing: https://rustup.rs installs it"; exit 1; }

# What each target calls, as COMMAND:PACKAGE. A command that is there is not installed again, so a
# machine without apt will do when it has them.
run-tools: INSTALL := cc:gcc cc:libc6-dev espeak-ng:espeak-ng
# The user agents that the tests talk to, `kill` of procps, the engine that speaks, and a second
# opinion on Ogg Opus files.
test-tools: INSTALL := cc:gcc cc:libc6-dev baresip:baresip-core linphonec:linphone-cli sipp:sip-tester kill:procps espeak-ng:espeak-ng opusdec:opus-tools chromium:chromium firefox-esr:firefox-esr pulseaudio:pulseaudio curl:curl python3:python3 setpriv:util-linux
bench-tools: INSTALL := cc:gcc cc:libc6-dev espeak-ng:espeak-ng python3:python3 sox:sox sipp:sip-tester taskset:util-linux ip:iproute2

run-tools test-tools bench-tools:
	@missing=""; for tool in $(INSTALL); do \
	  type -P "$${tool%%:*}" >/dev/null || missing="$$missing $${tool##*:}"; done; \
	if [ "$@" != run-tools ] && ! python3 -c "import ensurepip" 2>/dev/null; then \
	  missing="$$missing python3-venv"; fi; \
	if [ "$@" = test-tools ] && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then \
	  missing="$$missing postgresql"; fi; \
	[ -n "$$missing" ] || exit 0; \
	command -v apt-get >/dev/null || { echo "please install:$$missing"; exit 1; }; \
	echo "installing$$missing"; \
	sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	[ -z "$$sudo" ] || command -v sudo >/dev/null || \
	  { echo "as root: apt-get install --no-install-recommends$$missing"; exit 1; }; \
	$$sudo apt-get update -q >/dev/null; \
	$$sudo env DEBIAN_FRONTEND=noninteractive \
	  apt-get install -y -q --no-install-recommends $$missing >/dev/null

# A Rust of the minimal profile has neither.
lint-tools: cargo
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || \
	  rustup component add rustfmt clippy

# run · test · bench · deb. Each target installs from apt what it needs and the machine lacks.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: run build test test-tools lint bench deb clean

# Where `make run` keeps its database, secrets and voicemail.
DATA ?= $(CURDIR)/offhook-data

# apt-get as root, or through sudo for everybody else.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

## Builds the appliance, starts it on embedded defaults and proves it with real calls; then serves.
run: build
	target/release/offhook run --data "$(DATA)"

build:
	cargo build --release --locked -p offhook

## Everything that is checked: format, lints, docs, and all tests with real user agents.
test: test-tools lint
	cargo test --workspace --locked

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet

## The user agents that the tests talk to: baresip and sipp, and sox to make tones.
test-tools:
	@missing=""; for p in baresip-core sip-tester sox python3; do \
	  dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  $(SUDO) apt-get update -q >/dev/null && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -q --no-install-recommends $$missing >/dev/null; fi

## Prints a table of figures and writes target/bench/figures.json.
bench: build
	python3 tests/bench/run.py

## A Debian package in target/deb/.
deb: build
	systemd/make-deb

clean:
	cargo clean

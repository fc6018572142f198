# Jarvis. `make demo` speaks to a simulated house; `make test` runs every test; `make bench` measures.
# Each target sets up what it needs and says what it installs (tests/setup.sh).

SHELL := /bin/bash
CARGO ?= cargo
export JARVIS_LIBVOSK_DIR ?= $(CURDIR)/target/native

.DEFAULT_GOAL := help
.PHONY: help setup build demo test bench llama streams words lint deny fuzz doc clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: ## install what is missing, and say what
	@tests/setup.sh demo

build: setup
	@$(CARGO) build --workspace --bins

# SAY="hey jarvis, ..." VOICE=en-gb-x-rp | WAV=file.wav TEXT="what it says" | SCRIPT=file, and STAY=1 ECHO=db; SEED=n OUT=folder with any
# MIND=aimock|llama: requests that the grammar does not understand, carried by a model that follows a script (in a stand-in, or in a real llama-server)
# MIC=1 [MODEL=folder] [MICROPHONE=name] [LOUDSPEAKER=name]: your own voice, and this machine's devices
demo: build ## one spoken sentence through the whole house (SAY= VOICE= WAV= TEXT= SCRIPT= STAY=1 SEED= ECHO= MIC=1 MIND=aimock|llama)
	@$(if $(MIND),tests/setup.sh mind)
	@$(if $(filter llama,$(MIND)),tests/llama/setup.sh)
	@target/debug/jarvis-demo

test: ## every test, then the rules of the house
	@tests/setup.sh test
	@rm -rf target/told && mkdir -p target/told
	@$(CARGO) build --workspace --all-targets
	@target/debug/jarvis-suite "$(CARGO)"
	@$(MAKE) --no-print-directory lint
	@find target/told -type f -exec cat {} + | grep -v '^NOT RUN' || true
	@echo "test: everything that ran is right"
	@find target/told -type f -exec cat {} + | grep '^NOT RUN' || true

bench: build ## every figure, a table and target/bench/bench.json (ONLY=v18, ONLY=v18.llm,s5)
	@tests/setup.sh mind
	@target/debug/jarvis-bench $(if $(ONLY),--only $(ONLY))

llama: ## a real llama-server with a scripted model: it thinks, calls a tool and answers
	@tests/llama/setup.sh
	@$(CARGO) test --workspace --test minds llama:: -- --ignored --nocapture

streams: ## the recorded streams of tests/frozen/streams, anew
	@tests/setup.sh mind
	@tests/llama/setup.sh
	@tests/frozen/streams/record.sh

words: ## the embedded model's words and graph, anew from the intent files (daemon/models/README.md)
	@CARGO="$(CARGO)" daemon/models/make_default.sh

lint: ## rustfmt, clippy, rustdoc, the fuzz targets, the bare target
	@$(CARGO) fmt --all --check
	@$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	@$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet
	@$(CARGO) check --quiet --locked --manifest-path fuzz/Cargo.toml --no-default-features --target-dir target
	@if rustup target list --installed 2>/dev/null | grep -qx thumbv7em-none-eabi || rustup target add thumbv7em-none-eabi; then \
	  $(CARGO) check --quiet -p jarvis-link --target thumbv7em-none-eabi; \
	else mkdir -p target/told; \
	  echo "NOT RUN: the check of jarvis-link for a machine without an operating system (rustup can't get thumbv7em-none-eabi here)" | tee target/told/bare; fi

deny: ## licences, advisories, sources
	@tests/setup.sh lint
	@cargo deny --workspace check licenses bans sources
	@if cargo deny --workspace fetch db; then cargo deny --workspace check --disable-fetch advisories; \
	else echo "deny: the advisory database can't be fetched here; licences, bans and sources are right, advisories were NOT checked"; fi

fuzz: ## the decoders and state machines under libFuzzer, 30 s each
	@tests/setup.sh fuzz
	@cd fuzz && for target in $$(cargo +nightly fuzz list); do cargo +nightly fuzz run $$target -- -max_total_time=30 || exit 1; done

doc: ## the code's documentation
	@$(CARGO) doc --workspace --no-deps

clean: ## what was built
	@$(CARGO) clean

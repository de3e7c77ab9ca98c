# 同课 Tongke. Two commands matter: `make run` and `make test`. While working: `make check`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run check test deep bench setup-run setup-test web lint licences rust-build rust-test fuzz fuzz-changed web-test browsers foreign clean

DATA ?= tongke-data
HTTP ?= 127.0.0.1:8080
FUZZ_SECONDS ?= 10
FUZZ_SFU := depacketise dtls framing red rtcp rtp sdp stun worker
FUZZ_RECORDER := journal manifest recovery
FUZZ_TARGETS ?= $(FUZZ_SFU) $(FUZZ_RECORDER)

# Tools that `.ci/setup test` puts into .venv: cargo-nextest, cargo-deny, cargo-fuzz, schemathesis.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export SCHEMATHESIS ?= $(CURDIR)/.venv/bin/schemathesis

# Clippy is the compiler of the workspace in tests, so that linting costs no build of its own: dependencies are built
# once, for tests, and not a second time to be checked. Warnings are errors.
check test lint rust-build rust-test browsers foreign: export RUSTC_WORKSPACE_WRAPPER := clippy-driver
check test lint rust-build rust-test browsers foreign: export CLIPPY_ARGS := -Dwarnings__CLIPPY_HACKERY__

help: ## what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup-run web ## build everything and open the hub, with a sample county where the data folder is empty
	@echo "make run: compiling the hub; the first time this takes some minutes"
	cargo build --release --bin tongke
	sample=; [ -n "$$(ls -A $(DATA) 2>/dev/null)" ] || sample=--sample; \
	exec target/release/tongke serve --data $(DATA) --http $(HTTP) $$sample

check: setup-test lint ## while working: formats, shape of the tree, lints, unit tests, pages. Two minutes warm
	signaling/tests/postgres.sh cargo nextest run --workspace --lib
	$(MAKE) --no-print-directory web-test

test: ## everything that judges a commit: lints, units, simulation, HTTP, pages, real browsers; ends with where the time went
	@.ci/timed --begin
	@.ci/timed "set-up: packages, tools" .ci/setup test
	@.ci/timed "pages built" $(MAKE) --no-print-directory web
	@.ci/timed "formats, shape of the tree" $(MAKE) --no-print-directory lint
	@.ci/timed "licences" $(MAKE) --no-print-directory licences
	@.ci/timed "Rust built and linted" $(MAKE) --no-print-directory rust-build
	@.ci/timed "Rust tests" $(MAKE) --no-print-directory rust-test
	@.ci/timed "fuzzing of changed parsers" $(MAKE) --no-print-directory fuzz-changed
	@.ci/timed "page lints and tests" $(MAKE) --no-print-directory web-test
	@.ci/timed "browsers and foreign clients" $(MAKE) --no-print-directory browsers
	@.ci/timed --table
	@echo "make test: all parts ran and passed"

deep: setup-test web ## what is long: rural lines, pictures of every page, long lessons, requests made up for every role, ten minutes of fuzzing each
	$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=600
	cargo build --workspace --bins --tests
	cd web-client && DEEP=1 npx vitest run --config e2e/vitest.config.ts deep
	DEEP=1 cargo test --workspace --test it any_request -- --nocapture
	DEEP=1 cargo test --release -p recorder -p load-tests -- --nocapture
	DEEP=1 cargo test --release -p signaling --test it process:: -- --nocapture --test-threads 1

bench: setup-run web ## a table of figures, asked and measured: a forwarded packet, the bell, slow lines, floods; instructions
	cargo build --release --bins
	load-tests/bench.sh
	load-tests/instructions.sh
	cargo bench --quiet --workspace --bench timetable --bench recordings
	cargo bench --quiet --workspace --bench export

setup-run:
	@.ci/setup run

setup-test:
	@.ci/setup test

web: ## the web client, ready to be put into the binary
	cd web-client && npm run --silent build

lint: ## formats and the shape of the tree; the compiler's lints come with rust-build
	cargo fmt --all --check
	cargo fmt --check --manifest-path load-tests/fuzz/Cargo.toml
	node .ci/house.mjs --self-test
	node .ci/house.mjs

licences: ## what the dependencies allow, and what is known to be wrong with them
	cargo deny --log-level error check licenses bans sources
	@cargo deny --log-level error check advisories || if cargo deny --log-level error fetch db 2>/dev/null; then exit 1; else echo "advisories: NOT RUN, their database cannot be reached from here"; fi

rust-build: ## every crate, test and bench, by clippy
	cargo build --workspace --bins --benches --tests

rust-test: rust-build ## units, simulated lessons, HTTP on both databases, made-up requests; their figures at the end
	signaling/tests/postgres.sh cargo nextest run --workspace

fuzz: ## any bytes at any time against each parser and a whole worker: FUZZ_TARGETS for FUZZ_SECONDS each
	cd load-tests && env -u RUSTC_WORKSPACE_WRAPPER -u CLIPPY_ARGS CARGO_TARGET_DIR=$(CURDIR)/target/fuzz cargo fuzz build --sanitizer none
	@cd load-tests/fuzz && built=$(CURDIR)/target/fuzz; mkdir -p $(FUZZ_TARGETS:%=$$built/corpus/%) $(FUZZ_TARGETS:%=artifacts/%); \
	printf '%s\n' $(FUZZ_TARGETS) | xargs -P 2 -I {} bash -c \
	  "$$built"'/*-linux-*/release/{} -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 -rss_limit_mb=1024 \
	  -artifact_prefix=artifacts/{}/ -verbosity=0 '"$$built"'/corpus/{} corpus/{} 2>'"$$built"'/{}.log \
	  && echo "fuzz {}: held for $(FUZZ_SECONDS) s" || { tail -n 60 '"$$built"'/{}.log; exit 1; }'

fuzz-changed: ## the same for parsers whose crate changed since the merge base with origin/main, or in the last commit
	@base=$$(git merge-base HEAD origin/main 2>/dev/null || true); \
	if [ -z "$$base" ] || [ "$$base" = "$$(git rev-parse HEAD)" ]; then base=$$(git rev-parse --verify --quiet HEAD^ || git hash-object -t tree /dev/null); fi; \
	changed() { ! git diff --quiet "$$base" -- "$$@" || [ -n "$$(git ls-files --others --exclude-standard -- "$$@")" ]; }; targets=; \
	if changed sfu/src load-tests/fuzz; then targets="$(FUZZ_SFU) $(FUZZ_RECORDER)"; elif changed recorder/src; then targets="$(FUZZ_RECORDER)"; fi; \
	if [ -n "$$targets" ]; then $(MAKE) --no-print-directory fuzz FUZZ_TARGETS="$$targets"; else echo "fuzz: no parser's crate changed since $$base"; fi

web-test: ## lints, types and tests of the pages
	cd web-client && npm run --silent lint && npm run --silent typecheck && npm run --silent test

# The same crates as for the Rust tests: a smaller choice would unify other features and build dependencies again.
browsers: rust-build ## real Chromium and Firefox, ffmpeg, GStreamer and aiortc, against the real binary
	cd web-client && npx vitest run --config e2e/vitest.config.ts browsers foreign

foreign: rust-build ## ffmpeg, aiortc and GStreamer by WHIP and WHEP
	cd web-client && npx vitest run --config e2e/vitest.config.ts foreign

clean: ## forget what was built; data folders stay
	rm -rf target web-client/dist web-client/node_modules .venv

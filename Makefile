# 同课 Tongke. Two commands matter: `make run` and `make test`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test deep bench fuzz setup-run setup-test web rust-lint rust-test web-test browsers foreign licences clean

DATA ?= tongke-data
HTTP ?= 127.0.0.1:8080
FUZZ_SECONDS ?= 10
SCHEMATHESIS ?= $(CURDIR)/.venv/bin/schemathesis
FUZZ_TARGETS := depacketise dtls framing journal manifest recovery red rtcp rtp sdp stun worker

help: ## what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup-run web ## build everything and open the hub, with a sample county where the data folder is empty
	cargo build --release --bin tongke
	sample=; [ -n "$$(ls -A $(DATA) 2>/dev/null)" ] || sample=--sample; \
	exec target/release/tongke serve --data $(DATA) --http $(HTTP) $$sample

test: ## everything that judges a commit: lints, units, simulation, HTTP, pages, real browsers, foreign clients
	@started=$$SECONDS; \
	$(MAKE) --no-print-directory setup-test web rust-lint licences rust-test fuzz web-test browsers foreign; \
	echo "make test: all parts ran and passed in $$((SECONDS - started)) s"

deep: setup-test web ## what is long: rural lines, pictures of every page, long lessons, requests made up for every role, ten minutes of fuzzing each
	$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=600
	cargo build --workspace --bins --tests
	cd web-client && DEEP=1 npx vitest run --config e2e/vitest.config.ts deep
	SCHEMATHESIS=$(SCHEMATHESIS) DEEP=1 cargo test --workspace --test any_request -- --nocapture
	DEEP=1 cargo test --release -p recorder -p load-tests -- --nocapture
	DEEP=1 cargo test --release -p signaling --test kill --test full_disk -- --nocapture

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

rust-lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

licences:
	cargo deny --log-level error check licenses bans sources
	@cargo deny --log-level error check advisories || if cargo deny --log-level error fetch db 2>/dev/null; then exit 1; else echo "advisories: NOT RUN, their database cannot be reached from here"; fi

rust-test:
	SCHEMATHESIS=$(SCHEMATHESIS) cargo test --workspace
	@echo "requests made up from the OpenAPI document, told again with their number:"
	SCHEMATHESIS=$(SCHEMATHESIS) cargo test --quiet --workspace --test any_request -- --nocapture
	@echo "the simulated lessons, told again with their figures:"
	cargo test --quiet -p load-tests --test simulated_lessons -- --nocapture --test-threads 1

fuzz: ## any bytes at any time against each parser and a whole worker, FUZZ_SECONDS each
	cargo fmt --check --manifest-path sfu/fuzz/Cargo.toml
	cd sfu && CARGO_TARGET_DIR=$(CURDIR)/sfu/fuzz/target cargo fuzz build --sanitizer none
	@cd sfu/fuzz && mkdir -p $(FUZZ_TARGETS:%=target/corpus/%) $(FUZZ_TARGETS:%=artifacts/%); \
	printf '%s\n' $(FUZZ_TARGETS) | xargs -P 2 -I {} bash -c \
	  'target/*-linux-*/release/{} -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 -rss_limit_mb=1024 \
	  -artifact_prefix=artifacts/{}/ -verbosity=0 target/corpus/{} corpus/{} 2>target/{}.log \
	  && echo "fuzz {}: held for $(FUZZ_SECONDS) s" || { tail -n 60 target/{}.log; exit 1; }'

web-test:
	cd web-client && npm run --silent lint && npm run --silent typecheck && npm run --silent test

browsers: ## real Chromium and Firefox against the real binary
	cargo build --workspace --bins --tests
	cd web-client && npx vitest run --config e2e/vitest.config.ts browsers

foreign: ## ffmpeg, aiortc and others by WHIP and WHEP
	cargo build --workspace --bins --tests
	cd web-client && npx vitest run --config e2e/vitest.config.ts foreign

clean: ## forget what was built; data folders stay
	rm -rf target web-client/dist web-client/node_modules .venv

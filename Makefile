# Switchboard. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help demo run test check build generate lint bench chaos fuzz vulnerabilities webhooks clean

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
# The version goes in by the linker: Go's own stamp fails in a clone that another user owns.
GOBUILD = go build -buildvcs=false -ldflags "-X main.release=$(VERSION)"

# Whatever is built and tested from here has a runtime and a protobuf library that are small for small processes.
export GOFLAGS := $(strip $(GOFLAGS) $(shell scripts/small.sh))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## build and run the panel with a simulated WhatsApp network; prints one link
	@exec ./bin/switchboard demo

run: build ## build and run the panel against the real WhatsApp network
	@exec ./bin/switchboard serve

test: ## install what the tests need, then run everything that CI runs
	@scripts/need.sh test
	@$(MAKE) --no-print-directory check

check: ## everything that CI runs, without installing anything
	@scripts/check.sh

build: ## build bin/switchboard
	@scripts/need.sh build
	@echo "Building bin/switchboard (about two minutes the first time)"
	@$(GOBUILD) -o bin/switchboard ./cmd/switchboard

generate: ## rebuild the templ code and the CSS from their sources
	@scripts/generate.sh

lint: ## run the linters
	@scripts/lint.sh

bench: ## run the benchmarks, "create to QR code" among them
	@scripts/bench.sh

fuzz: ## let every fuzz target run for a minute
	@scripts/fuzz.sh 1m

vulnerabilities: ## look for known vulnerabilities; VULNDB=file:///dir where there is no internet
	@scripts/vulnerabilities.sh

chaos: ## five minutes of killed workers, panels and networks under twenty talking numbers, on each engine
	@go test ./e2e -run '^TestChaos' -v -timeout 40m -chaos 5m

webhooks: ## 10,000 messages to a webhook that fails half of the time, on both engines
	@go test ./e2e -run '^TestWebhooksLoseNothing$$' -v -timeout 60m -webhooks 10000

clean: ## remove what was built; storages/ stays
	rm -rf bin .tools node_modules

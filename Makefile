# make help says what there is. Every target installs what it needs; the cluster needs Linux and root.
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Node 24 comes with the packages, whatever the machine's own is
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

RUNS ?= 3
NAMESPACE ?= demo
MINUTES ?= 60
SCHEDULES ?= 200
CLI := bin/cluster
PACKAGES := node_modules/.package-lock.json

.PHONY: help demo test campaign companions cli cluster cluster-down images deploy release generate lint bench packages

help: ## this text
	@echo 'DevShelf operator'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  CLUSTER=kind uses kind with docker or podman instead of the native cluster.'

demo: $(PACKAGES) ## the whole story on a real cluster, with figures; the bad release RUNS=3 times
	@node test-e2e/demo.ts --runs $(RUNS) --namespace $(NAMESPACE)

test: $(PACKAGES) ## every test: unit, integration, end to end; PHASES="unit integration" for some of them
	@node test-e2e/test.ts $(PHASES)

campaign: $(PACKAGES) ## faults for as long as you like: MINUTES=60 of schedules by seed, after each write of every story was killed
	@node test-e2e/campaign.ts --minutes $(MINUTES) --schedules $(SCHEDULES)

companions: $(PACKAGES) ## Traefik before the services (on the cluster, too), Flux, prometheus-operator and KEDA beside the operator (the first time built from source: long)
	@NODE_OPTIONS='--experimental-vm-modules --disable-warning=ExperimentalWarning' \
		jest --config test-e2e/jest/config.mjs --selectProjects companion --runInBand --forceExit --testTimeout=60000

cluster: $(PACKAGES) ## starts a real single-node Kubernetes (the first time it is built from source: minutes)
	@$(CLI) up && $(CLI) status

cluster-down: $(PACKAGES) ## removes it with everything in it
	@$(CLI) down

images: $(PACKAGES) ## builds the operator's and the services' images, and loads them when the cluster is up
	@$(CLI) images

cli: $(PACKAGES) ## builds build/cli/kubectl-devshelf: one file for your PATH, then kubectl devshelf answers
	@node test-e2e/cluster/build.ts cli

deploy: ## installs the operator, for its own namespace; IMAGE=registry/devshelf-operator:tag ALL_NAMESPACES=1
	@IMAGE='$(IMAGE)' ALL_NAMESPACES='$(ALL_NAMESPACES)' bin/deploy

release: $(PACKAGES) ## builds everything that a release has into build/release/; CHECK=1 builds it twice and compares
	@node release/release.ts

generate: $(PACKAGES) ## writes crds/, the reference and the database clients anew from their sources
	@node operator/src/api/generate.ts
	@node operator/src/cli/generate.ts
	@node charts/readme.ts
	@node charts/operator-rules.ts
	@node charts/gitops/generate.ts
	@node charts/dashboards/generate.ts
	@npm run --silent generate:prisma
	@npm run --silent generate:pages
	@git status --short -- crds charts docs operator/src/api services

lint: $(PACKAGES) ## formatting, lint rules, import directions, types
	@npm run --silent lint

bench: $(PACKAGES) ## simulated releases, the cost of a request to the API server, the services' speed and size (15 min)
	@node bench/statistics.ts
	@node bench/replay.ts
	@node bench/slowness.ts
	@node bench/kube-transport.ts
	@node bench/neighbours.ts
	@node bench/services.ts
	@node bench/footprint.ts
	@node bench/cli.ts
	@node bench/scrape.ts

packages: $(PACKAGES)

$(PACKAGES): package-lock.json
	@command -v npm > /dev/null || { echo 'Node.js and npm are needed: https://nodejs.org (Debian: apt-get install npm)'; exit 1; }
	@echo 'installing packages (npm install) …'
	@# not npm ci: it refuses a lock file that does not name the optional packages of every platform
	@npm install --no-save --silent --no-progress || { echo 'npm install failed. Is the package registry reachable? npm install --verbose says more.'; exit 1; }
	@touch $@

# make help says what there is. Every target installs what it needs; the cluster needs Linux and root.
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Node 24 comes with the packages, whatever the machine's own is
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

RUNS ?= 1
NAMESPACE ?= demo
CLI := node test-e2e/cluster/cli.ts
PACKAGES := node_modules/.package-lock.json

.PHONY: help demo test cluster cluster-down images deploy generate lint bench

help: ## this text
	@echo 'DevShelf operator'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  CLUSTER=kind uses kind with docker or podman instead of the native cluster.'

demo: $(PACKAGES) ## the whole story on a real cluster, with figures; RUNS=5 repeats the bad release
	@node test-e2e/demo.ts --runs $(RUNS) --namespace $(NAMESPACE)

test: $(PACKAGES) ## every test: unit, integration, end to end; PHASES="unit integration" for some of them
	@node test-e2e/test.ts $(PHASES)

cluster: $(PACKAGES) ## starts a real single-node Kubernetes (the first time it is built from source: minutes)
	@$(CLI) up && $(CLI) status

cluster-down: $(PACKAGES) ## removes it with everything in it
	@$(CLI) down

images: $(PACKAGES) ## builds the operator's and the services' images, and loads them when the cluster is up
	@$(CLI) images

deploy: ## installs the operator into the cluster of the current kubeconfig; IMAGE=registry/devshelf-operator:tag
	@command -v kubectl > /dev/null || { echo 'make deploy needs kubectl on the PATH'; exit 1; }
	@kubectl config current-context > /dev/null 2>&1 || { echo 'No cluster: point KUBECONFIG at one. For the test cluster: make cluster says where its kubeconfig is.'; exit 1; }
	@echo "installing into $$(kubectl config current-context)"
	@kubectl apply -k charts/install/all-namespaces
	@$(if $(IMAGE),kubectl -n devshelf-system set image deployment/devshelf-operator operator=$(IMAGE))
	@kubectl -n devshelf-system rollout status deployment/devshelf-operator --timeout 120s || { \
	  echo 'The operator does not start. If its image cannot be pulled, push it and say IMAGE=…; else see:'; \
	  echo '  kubectl -n devshelf-system describe pod'; exit 1; }

generate: $(PACKAGES) ## writes crds/, the reference and the database clients anew from their sources
	@node operator/src/api/generate.ts
	@npm run --silent generate:prisma
	@npm run --silent generate:pages
	@git status --short -- crds charts docs operator/src/api services

lint: $(PACKAGES) ## formatting, lint rules, import directions, types
	@npm run --silent lint

bench: $(PACKAGES) ## simulated releases, the cost of a request to the API server, the services' speed and size (15 min)
	@node bench/statistics.ts
	@node bench/kube-transport.ts
	@node bench/services.ts
	@node bench/footprint.ts

$(PACKAGES): package-lock.json
	@command -v npm > /dev/null || { echo 'Node.js and npm are needed: https://nodejs.org (Debian: apt-get install npm)'; exit 1; }
	@echo 'installing packages (npm install) …'
	@# not npm ci: it refuses a lock file that does not name the optional packages of every platform
	@npm install --no-save --silent --no-progress || { echo 'npm install failed. Is the package registry reachable? npm install --verbose says more.'; exit 1; }
	@touch $@

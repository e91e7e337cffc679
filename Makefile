# `make help` lists the targets. CONTRIBUTING.md explains what a change needs.

GO       ?= go
# How long `make test` runs each fuzz test.
FUZZTIME ?= 10s
# Which benchmarks `make bench-go` runs, and how often.
BENCH    ?= .
COUNT    ?= 1
# Options of `make bench`: see `make bench ARGS=-h`.
ARGS     ?=

# Where `make install` installs.
PREFIX   ?= /usr/local
# The capabilities with which a user counts live without root.
CAPABILITIES := cap_bpf,cap_perfmon,cap_net_admin,cap_net_raw

# What builds the image.
ENGINE   ?= $(notdir $(firstword $(shell command -v podman docker)))

CACHE            := $(CURDIR)/.cache
GOLANGCI_VERSION := v2.15.0
GOLANGCI         := $(CACHE)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint

VMTEST := $(GO) run ./tools/vmtest/cmd/vmtest

SHELL := /bin/bash

# The race detector needs cgo and a C compiler.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null && echo -race)

# Whether this machine has libpcap's headers. The build tag libpcap needs them, and cgo.
LIBPCAP := $(shell printf '\043include <pcap.h>\n' | $$($(GO) env CC) -E - >/dev/null 2>&1 && echo yes)

# The compiler and headers of the BPF programs, the tools that tests compare with, and a browser.
PACKAGES   := bpftool busybox-static chromium clang-19 clang-format-19 crun dash debian-archive-keyring ethtool fish groff iproute2 jq libbpf-dev libpcap-dev linux-libc-dev llvm-19 mandoc mmdebstrap nftables podman qemu-system-arm qemu-system-x86 systemd-container tcpdump tcpreplay tmux tshark wireshark-common xz-utils zsh
TEST_TOOLS := busybox capinfos chromium dash ethtool fish groff ip jq mandoc nft tc tcpdump tcpreplay tcprewrite tmux tshark xz zsh
SUDO       := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: build
build: ## build bin/pktstat, statically linked
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/pktstat ./cmd/pktstat

.PHONY: install
install: ## install the built command, its man pages and completion below PREFIX
	@[ -x bin/pktstat ] || { echo "make build comes first"; exit 1; }
	install -D -m 755 bin/pktstat '$(DESTDIR)$(PREFIX)/bin/pktstat'
	set -eo pipefail; made() { bin/pktstat $$1 $$2 | install -D -m 644 /dev/stdin '$(DESTDIR)$(PREFIX)/share/'$$3; }; \
	made man pktstat man/man1/pktstat.1; \
	made man fields man/man7/pktstat-fields.7; \
	made completion bash bash-completion/completions/pktstat; \
	made completion zsh zsh/site-functions/_pktstat; \
	made completion fish fish/vendor_completions.d/pktstat.fish

.PHONY: setcap
setcap: ## let every user of this machine count live with the command below PREFIX
	$(SUDO) setcap $(CAPABILITIES)=+ep '$(DESTDIR)$(PREFIX)/bin/pktstat'

.PHONY: dist
dist: ## build the release of this commit in dist/: tarballs, deb, rpm, lists of modules, checksums
	cd tools/dist && $(GO) run . -repo '$(CURDIR)' -out '$(CURDIR)/dist'

.PHONY: image
image: dist ## build the OCI image "pktstat" of this commit, with podman or docker (ENGINE)
	@[ -n '$(ENGINE)' ] || { echo "there is neither podman nor docker"; exit 1; }
	ENGINE='$(ENGINE)' deploy/container/build dist/pktstat_*_linux_$$($(GO) env GOARCH).tar.gz

.PHONY: build-libpcap
build-libpcap: ## build bin/pktstat-libpcap, which has --pcap-live, with the system's libpcap
	CGO_ENABLED=1 $(GO) build -tags libpcap -trimpath -o bin/pktstat-libpcap ./cmd/pktstat

# Tests that need root or a missing tool are skipped with a message. With CI=true, they fail.
.PHONY: test
test: vet test-go test-libpcap test-examples fuzz ## all tests, no benchmarks; as root, also tests of the kernel
	@[ "$$(id -u)" = 0 ] || echo "skipped, because this is not root: what loads BPF programs or makes network namespaces"
	@for tool in $(TEST_TOOLS); do command -v $$tool >/dev/null || echo "skipped, because there is no $$tool: what compares with it"; done

.PHONY: vet
vet:
	$(GO) vet ./...
	GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./...

# internal/owner/process starts a thousand processes of its own binary, which the race
# detector makes slow.
.PHONY: test-go
test-go:
	$(GO) test $(RACE) $$($(GO) list ./... | grep -v /internal/owner/process$$)
	$(GO) test ./internal/owner/process
	$(if $(RACE),$(GO) test $(RACE) -run='^(TestClients|TestMixedLoad)$$/^tc$$' ./internal/owner/process)

# Tests of the code with the build tag libpcap.
.PHONY: test-libpcap
test-libpcap:
ifeq ($(LIBPCAP),yes)
	CGO_ENABLED=1 $(GO) vet -tags libpcap ./backends/pcap ./test
	CGO_ENABLED=1 $(GO) test $(RACE) -tags libpcap -run=Live ./backends/pcap
	CGO_ENABLED=1 $(GO) test -tags libpcap -run=Libpcap ./test
else
	@echo "skipped, because there are no headers of libpcap (libpcap-dev): what --pcap-live does"; [ "$$CI" != true ]
endif

# Modules of their own, as users of pktstat's packages build them.
.PHONY: test-examples
test-examples:
	cd examples/custom-output && $(GO) vet ./... && $(GO) test ./... && \
	  $(GO) run . --pcap-file ../../testdata/mix.pcap --output influx | tail -1
	cd examples/custom-label && $(GO) vet ./... && $(GO) test $(RACE) ./... && \
	  $(GO) run . --pcap-file ../../testdata/mix.pcap --output plain --by net24 | tail -1

# Builds releases, and tries one in a Debian that it downloads. PKTSTAT_WHOLE_TEST=1 runs all of `make test` there.
.PHONY: test-dist
test-dist: ## test the release; as root, also its deb, service and image, and a clone, on a clean Debian
	cd tools/dist && $(GO) vet ./... && $(GO) test -timeout 30m ./...

.PHONY: test-unit
test-unit: ## the tests that need neither root nor much time
	$(GO) test $(RACE) -short ./...

# Runs as an ordinary user. Downloads kernels that are newer than those in .cache/vmtest.
.PHONY: test-vm
test-vm: ## run the tests of the kernel on 5.10, 6.1, 6.12 and the newest, and on 6.1 and the newest of arm64; KERNEL, RUN and PKG select
	$(if $(KERNEL)$(RUN)$(PKG),,PKTSTAT_VMTEST=1 $(GO) test -count=1 -run=TestFailuresAreSeen ./tools/vmtest)
	$(VMTEST) $(if $(KERNEL),-kernel='$(KERNEL)') $(if $(RUN),-run='$(RUN)') $(PKG)

.PHONY: demo
demo: ## draw docs/tui.svg, the picture of the README, from a real run
	$(SUDO) unshare --uts sh -c 'hostname web-3 && PKTSTAT_DEMO=docs/tui.svg $(GO) test -count=1 -run=TestDemo ./test'

.PHONY: transfer
transfer: ## repeat the transfer that docs/accounting.md begins with, and write its tables
	$(SUDO) $(GO) test -count=1 -run='^TestTransfer$$' ./test -update

.PHONY: kernels
kernels: ## record the results of the probes on each kernel of the matrix, and update docs/kernels.md
	$(VMTEST) -kernel all -env PKTSTAT_RECORD=1 tools/vmtest/kernels
	$(GO) run ./tools/vmtest/kernels/cmd/kernels

.PHONY: fuzz
fuzz: ## run every fuzz test for FUZZTIME
	.ci/fuzz $(FUZZTIME)

.PHONY: corpus-check
corpus-check: build ## compare pktstat with tshark and a second reader, for the captures below DIR
	@[ -n "$(DIR)" ] || { echo "usage: make corpus-check DIR='FOLDER ...'"; exit 2; }
	$(GO) run ./tools/corpuscheck $(ARGS) $(DIR)

.PHONY: bench
bench: ## measure the cost of counting, as root; ARGS="-h" lists the options
	@mkdir -p $(CACHE)
	set -o pipefail; $(GO) run ./tools/bench/cmd/bench -json $(CACHE)/bench.json $(ARGS) | tee $(CACHE)/bench.md

.PHONY: bench-chart
bench-chart: ## draw .cache/bench.svg from what the last `make bench` measured
	$(GO) run ./tools/bench/cmd/summary -chart $(CACHE)/bench.svg $(CACHE)/bench.md

# At sockets, with fentry and kprobes. The machines are emulated, so only ratios are meaningful.
.PHONY: bench-stack
bench-stack: ## measure the cost of counting at sockets on the kernels of the matrix; KERNEL selects
	$(VMTEST) -j 1 -env PKTSTAT_BENCH=1 $(if $(KERNEL),-kernel='$(KERNEL)') -run='^TestStack$$' tools/bench
	cat $(CACHE)/vmtest/out/*/stack/stack.md

.PHONY: bench-go
bench-go: ## run the Go benchmarks; BENCH selects, COUNT repeats
	$(GO) test -run='^$$' -bench='$(BENCH)' -benchmem -count=$(COUNT) ./...

.PHONY: cover
cover: ## write .cache/cover.html and print the total
	@mkdir -p $(CACHE)
	$(GO) test -coverpkg=./... -coverprofile=$(CACHE)/cover.out ./...
	$(GO) tool cover -html=$(CACHE)/cover.out -o $(CACHE)/cover.html
	@$(GO) tool cover -func=$(CACHE)/cover.out | tail -1

.PHONY: lint
lint: lint-c lint-prose $(GOLANGCI) ## run golangci-lint at the pinned version, clang-format on the C files, and the check of the English
	$(GOLANGCI) run ./...
	$(if $(LIBPCAP),$(GOLANGCI) run --build-tags=libpcap ./backends/pcap ./test)
	for module in examples/custom-output examples/custom-label tools/dist; do \
	  (cd $$module && $(GOLANGCI) run --config=$(CURDIR)/.golangci.yml ./...) || exit; done

.PHONY: lint-c
lint-c:
ifneq ($(shell command -v clang-format-19),)
	git ls-files -z --cached --others --exclude-standard '*.c' '*.h' | \
	  while IFS= read -r -d '' f; do if [ -e "$$f" ]; then printf '%s\0' "$$f"; fi; done | \
	  xargs -0 clang-format-19 --dry-run -Werror
else
	@echo "skipped, because there is no clang-format-19: the format of the C files"; [ "$$CI" != true ]
endif

# The files and folders whose English `make lint` checks.
PROSE ?= .

.PHONY: lint-prose
lint-prose:
	$(GO) run ./tools/prose $(PROSE)

$(GOLANGCI):
	GOBIN=$(dir $@) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

# The compiler of the BPF programs. bpf2go reads these variables, so its go:generate lines are short.
# Programs must load on Linux 5.10, which supports instruction set v3.
generate: export BPF2GO_CC     := clang-19
generate: export BPF2GO_STRIP  := llvm-strip-19
generate: export BPF2GO_CFLAGS := -O2 -g -mcpu=v3 -Wall -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu

.PHONY: generate
generate: ## rebuild the committed BPF objects, test captures and other generated files
	$(GO) generate ./...

# Not part of generate, because the pictures depend on the machine's fonts.
.PHONY: screenshots
screenshots: build ## remake the pictures of the HTML report in docs (needs chromium)
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	bin/pktstat --pcap-file testdata/mix.pcap -r 100ms --output html=$$tmp/report.html; \
	$(GO) run ./internal/test/browser/cmd/screenshots $$tmp/report.html docs

# Generates in a copy of the tree, so that the tree does not change.
.PHONY: check-generate
check-generate: ## fail if the committed generated files are out of date
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; mkdir $$tmp/committed; \
	git ls-files -z --cached --others --exclude-standard | \
	  while IFS= read -r -d '' f; do if [ -e "$$f" ]; then printf '%s\0' "$$f"; fi; done | \
	  tar -c --null --files-from=- | tar -x -C $$tmp/committed; \
	cp -a $$tmp/committed $$tmp/generated; \
	$(MAKE) --no-print-directory -C $$tmp/generated generate; \
	(cd $$tmp && diff -ru committed generated) || { echo "check-generate: run make generate and commit" >&2; exit 1; }

.PHONY: install-deps
install-deps: ## install the packages for building BPF programs and for all tests (Debian 12)
	$(SUDO) apt-get -qq -o Acquire::Retries=3 update
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 install --no-install-recommends -y $(PACKAGES)

.PHONY: clean
clean: ## remove the built files
	rm -rf bin $(CACHE)

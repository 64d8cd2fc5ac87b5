# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shunt: the module, the programs, and everything that tries them. `make help` lists the targets.
# Nothing is built among the sources: products are in build/, heavy ones in a cache that build/
# links to. Locks keep two makes in one tree out of each other's way.

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

KERNELS ?= 6.1 6.12
DEMO_KERNEL := 6.12
BENCH_KERNEL ?= uml
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/shunt
lock = mkdir -p build && flock build/.$(1).lock
vm = scripts/vm --results build/results/$(1)

.PHONY: all help kmod kmod-uml userspace unit fuzz fuzz-replay bench bench-jobs bench-jobs-vm demo check check-debug \
	selftest e2e chaos lint format vm-test vm-shell install clean distclean setup-bench-jobs setup-build setup-demo \
	setup-check setup-check-debug
.DEFAULT_GOAL := all

all: kmod userspace ## module for both kernels, and the programs

kmod: setup-build ## build/kmod/RELEASE/shunt.ko for Debian's 6.1 and 6.12 kernels
	@for k in $(KERNELS); do $(call lock,kmod) scripts/build-kmod $$k || exit; done

kmod-uml: setup-check ## the same for User-mode Linux
	@$(call lock,kmod) scripts/build-kmod uml

userspace: setup-build ## the programs in build/userspace/
	@$(call lock,userspace) $(MAKE) -C userspace

demo: setup-demo ## a print job crosses the gateway and is moved off its tunnel
	@$(call lock,kmod) scripts/build-kmod $(DEMO_KERNEL)
	@$(call lock,userspace) $(MAKE) -C userspace all
	@$(call vm,demo) -- tests/e2e/run demo

check: setup-check ## every test; the last line counts them
	@tests/run build lint unit fuzz load selftest e2e

check-debug: setup-check-debug userspace ## the selftests at length on a kernel that watches itself: KASAN, lockdep, kmemleak, fault injection (TEST=x.sh for one, SEED=n repeats a run)
	@TEST="$(TEST)" SEED="$(SEED)" tests/run debug

lint: setup-check ## checkpatch, sparse, clang-format, shellcheck, includes, netlink spec
	@tests/run lint

unit: setup-check ## unit tests under ASan and UBSan (UNIT=test_x for one)
	@UNIT="$(UNIT)" tests/run unit

fuzz-replay: setup-check ## fuzzers over their corpora under ASan and UBSan
	@tests/run fuzz

fuzz: setup-build ## fuzzers with clang's libFuzzer, in build/libfuzzer/fuzz/
	@command -v clang >/dev/null || { echo "make fuzz needs clang (apt-get install clang)" >&2; exit 1; }
	@$(call lock,libfuzzer) $(MAKE) -C userspace LIBFUZZER=1 fuzz

selftest: setup-check kmod userspace ## the kselftest collection on both kernels (TEST=x.sh for one, SEED=n repeats a run)
	@TEST="$(TEST)" SEED="$(SEED)" tests/run selftest

e2e: setup-check kmod kmod-uml userspace ## the demo's scenario and the others, asserted (E2E=name for one)
	@$(call lock,userspace) $(MAKE) -C userspace e2e
	@E2E="$(E2E)" tests/run e2e

chaos: setup-check kmod-uml userspace ## faults at every stage of a job (CASES="kill-cloud direct nat-port/tunnel", SEED=n repeats a run)
	@$(call lock,userspace) $(MAKE) -C userspace e2e
	@CASES="$(CASES)" SEED="$(SEED)" tests/run chaos

bench: setup-check ## the datapath beside WireGuard, xfrm, FOU, GRE and plain routing, and relief (BENCH_KERNEL=6.12, BENCH="--only stream")
	@$(call lock,kmod) scripts/build-kmod $(BENCH_KERNEL)
	@$(call lock,kmod) env SOURCES=tests/bench/datapath/cipher scripts/build-kmod $(BENCH_KERNEL)
	@[ $(BENCH_KERNEL) != uml ] || { $(call lock,kmod) env SOURCES=tests/bench/datapath/clock scripts/build-kmod uml; }
	@$(call lock,userspace) $(MAKE) -C userspace bench
	@$(call vm,bench) --kernel $(BENCH_KERNEL) --timeout 3600 -- tests/bench/datapath/run $(BENCH)
	@$(call lock,kmod) scripts/build-kmod uml
	@tests/bench/datapath/relief.py

bench-jobs: setup-bench-jobs ## small jobs per second, memory, overload: one cloud on loopback, some 60 s
	@$(call lock,userspace) $(MAKE) -C userspace bench
	@tests/bench/jobs/run throughput overload refusal crash memory

bench-jobs-vm: kmod-uml ## round trips of a job, and overload behind one gateway: in User-mode Linux
	@$(call lock,userspace) $(MAKE) -C userspace bench
	@$(call vm,bench-jobs) --kernel uml -- tests/bench/jobs/vm/run

vm-test: selftest e2e ## everything that runs in the virtual machine

vm-shell: setup-demo ## a shell in the virtual machine
	@scripts/vm shell

format: ## clang-format over userspace/ and tests/
	@find userspace tests -name '*.[ch]' -exec clang-format -i {} +

setup-bench-jobs setup-build setup-demo setup-check setup-check-debug: setup-%:
	@$(call lock,setup) scripts/setup $*

install: userspace ## programs, man pages, units, completion (DESTDIR, PREFIX, SYSCONFDIR)
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" scripts/install

clean: ## what was compiled, and test results
	rm -rf build/userspace build/san build/libfuzzer build/kmod build/kselftest build/kernel-tree build/results

distclean: ## all of build/; the cache that other clones share stays
	rm -rf build
	@echo "kernels and the root file system are kept in $(CACHE); remove it to get newer ones"

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The one entrance. Each target sets up what it needs; `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Randomized tests read their seed from MILLRACE_TEST_SEED, which by default follows the commit: a failure on a commit
# can be repeated, and another commit tries something else. MILLRACE_TEST_LEVEL is short or long.
export MILLRACE_TEST_SEED ?= $(shell tools/test_seed)
export MILLRACE_TEST_LEVEL ?= short

JOBS ?= $(shell nproc)
# Tests that start programs wait as often as they work.
TEST_JOBS ?= $(shell echo $$(($(JOBS) * 3 / 2)))
CTEST := ctest -j $(TEST_JOBS)

# `make test` compiles every third of the texts that must not compile; which ones, the seed says. (An excluded label
# beside a preset that excludes some itself would do nothing.)
SLICE := $(shell echo $$(($(MILLRACE_TEST_SEED) % 3)))

.PHONY: help setup build test test-long test-tsan test-services demo bench format tidy clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is needed on Debian 12 (a second run does nothing)
	@tools/setup

build: setup build/build.ninja ## build the library, the examples and their tests for release, into build/bin
	@cmake --build build -j $(JOBS)

test: build build-asan/build.ninja ## run the unit tests under AddressSanitizer and UBSan, then the tests of the release
	@cmake --build build-asan -j $(JOBS)
	@echo "make test: seed $(MILLRACE_TEST_SEED), level $(MILLRACE_TEST_LEVEL)"
	@$(CTEST) --preset asan
	@$(CTEST) --test-dir build --output-on-failure --no-tests=error \
	  -LE '^(clang|long|more|services|slice_[^$(SLICE)])$$' -E '_NOT_BUILT$$'

test-long: test test-services build-clang/build.ninja build-fuzz/build.ninja ## run everything: long level, both compilers, TSan, fuzz
	@cmake --build build --target more_tests -j $(JOBS)
	@MILLRACE_TEST_LEVEL=long $(CTEST) --preset long
	@cmake --build build-asan --target more_tests -j $(JOBS)
	@$(CTEST) --preset asan-more
	@cmake --build build-clang -j $(JOBS)
	@$(CTEST) --preset clang
	@cmake --build build-fuzz --target fuzzers -j $(JOBS)
	@$(CTEST) --preset fuzz
	@$(MAKE) test-tsan

test-tsan: setup build-tsan/build.ninja ## run the unit tests under ThreadSanitizer
	@cmake --build build-tsan -j $(JOBS)
	@$(CTEST) --preset tsan

test-services: build ## compare with the services of others, which it builds and starts (needs Go)
	@tests/pubsub/pstest/build
	@ctest --preset long -L '^services$$'

demo: build ## run the demonstration on three million real flights
	@tools/demo

bench: build ## run the benchmarks
	@cmake --build build --target benchmarks -j $(JOBS)
	@tools/bench

format: setup ## format all C++ files in place
	@git ls-files -co --exclude-standard -- '*.cc' '*.h' | xargs -r clang-format-19 -i

tidy: setup build-asan/build.ninja ## check the rules of the house, the formatting and clang-tidy
	@tools/tidy
	@git ls-files -co --exclude-standard -- '*.cc' '*.h' | xargs -r clang-format-19 --dry-run --Werror
	@git ls-files -co --exclude-standard -- 'src/*.cc' ':!*_test.cc' | xargs -r -n 4 -P $(JOBS) clang-tidy-19 --quiet -p build-asan

clean: ## remove all builds; what tools/setup fetched stays
	@rm -rf build build-asan build-tsan build-debug build-clang build-fuzz

# ninja configures again by itself when CMake's files change; only the first time is ours. A configuration that failed
# leaves no build.ninja.
build/build.ninja: | setup
	@cmake --preset release
build-%/build.ninja: | setup
	@cmake --preset $*

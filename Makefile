# A thin front for Meson and Ninja: every target is one idea, the work is in scripts/ and tests/run.py.
# `make help` lists the targets. CONTRIBUTING.md tells the rest.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := all
.NOTPARALLEL:

prefix  ?= /usr/local
DESTDIR ?=
PYTHON  := /usr/bin/python3
SECONDS := 60

release_options := --buildtype=release --prefix=$(prefix)
# Optimized for debugging: a sanitized build at -O2 takes three times as long.
test_options := -Dtests=true -Db_lundef=false -Ddebug=true -Doptimization=g

all: ## build the release programs: build/kesherd, build/kesher
	@scripts/deps --check build
	@scripts/configure build gcc $(release_options) -Dbench=false
	@ninja -C build

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

deps: ## install the Debian packages that are missing, for building, testing and linting
	@scripts/deps build test lint

serve: ## install what is missing, build, and run a server here until Ctrl-C; its data is in ./kesher-data
	@scripts/deps build
	@scripts/configure build gcc $(release_options) -Dbench=false
	@scripts/build build kesherd kesher
	@scripts/serve build $(ARGS)

test: ## run all tests but the slow ones, with address and undefined-behaviour sanitizers
	@scripts/deps build test
	@scripts/configure build-test gcc $(test_options) -Db_sanitize=address,undefined
	@scripts/build build-test
	@$(PYTHON) tests/run.py build-test $(ARGS)

test-all: export KESHER_SLOW := 1
test-all: test ## the same with the slow tests

test-tsan: ## run the unit tests with the thread sanitizer
	@scripts/deps build test
	@scripts/configure build-tsan gcc $(test_options) -Db_sanitize=thread
	@scripts/build build-tsan meson-test-prereq
	@$(PYTHON) tests/run.py build-tsan --unit $(ARGS)

torture: configure-fuzz ## break disks, memory, processes and peers for an hour; ARGS=--help tells more
	@scripts/deps build test fuzz
	@scripts/configure build-test gcc $(test_options) -Db_sanitize=address,undefined
	@scripts/build build-test
	@scripts/configure build-tsan gcc $(test_options) -Db_sanitize=thread
	@scripts/build build-tsan kesherd
	@scripts/fuzz --build build-fuzz
	@$(PYTHON) -B tests/torture/torture.py $(ARGS)

fuzz: configure-fuzz ## fuzz every target for SECONDS=60 each, as many at a time as there are cores
	@scripts/fuzz build-fuzz $(SECONDS)

configure-fuzz:
	@scripts/deps build fuzz
	@scripts/configure build-fuzz clang -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
	    --buildtype=debugoptimized -Dc_args=-fsanitize=fuzzer-no-link

coverage: ## which lines unit tests reach, and which of the parsers the fuzz corpora; ARGS=--help tells more
	@scripts/deps build test
	@scripts/configure build-coverage gcc -Dtests=true -Db_coverage=true --buildtype=debug \
	    -Dc_args=-fprofile-update=prefer-atomic
	@scripts/build build-coverage
	@scripts/coverage build-coverage $(ARGS)

bench: ## build build/kesher-bench, too, measure kesher beside its peers; ARGS=--help tells more
	@scripts/deps build bench
	@scripts/configure build gcc $(release_options) -Dbench=true
	@scripts/build build kesherd kesher kesher-bench
	@$(PYTHON) -B bench/comparison/bench.py $(ARGS)

lint: ## check format, messages, architecture, clang-tidy, cppcheck and gcc -fanalyzer; ARGS=format names checks
	@scripts/deps build test lint
	@scripts/lint $(ARGS)

install: all ## install under prefix=/usr/local, below DESTDIR if given
	@DESTDIR='$(DESTDIR)' meson install -C build --no-rebuild --quiet

uninstall: ## remove what the last `make install` of this tree has installed; configuration and data stay
	@ninja -C build uninstall

manual: all ## bring the table of settings in docs/operations.md up to date
	@$(PYTHON) -B scripts/generate/generate.py --server build/man/kesherd.tables --texts man/options.txt \
	    operations docs/operations.md

deb: ## build Debian's packages in build-deb/ and let lintian judge them
	@scripts/deps build deb
	@scripts/deb

clean: ## remove everything that was built; ./kesher-data stays
	rm -rf build build-test build-tsan build-fuzz build-coverage build-lint build-analyzer build-deb

.PHONY: all help deps serve test test-all test-tsan torture fuzz configure-fuzz coverage bench lint install uninstall manual deb clean

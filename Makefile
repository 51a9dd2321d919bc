# SPDX-License-Identifier: Apache-2.0
# ese4ml: `make demo` and `make test` set up what they need; `make help` lists the rest.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo picture test test-all rtl parts count plain test-pynq31 test-32bit test-newest test-hls4ml test-hls4ml-keras2 test-keras2 keras2-images docs check hls-rules format emit build bitstream deploy wheel release study contract lock clean

PYTHON ?= python3
CHROMIUM ?= chromium
VENV := .venv
READY := $(VENV)/.ready
ESE4ML := $(VENV)/bin/ese4ml
CSRC := $(wildcard hls/ese_hls/csrc/*/*.h hls/ese_hls/csrc/*/*.cpp tests/cpp/*.cpp tests/cpp/*.h tests/hls/*/*.h tests/host/*.cpp support/fuzz/*.cpp benchmarks/rtl/*.cpp hls/ese_rtl/*/*.cpp)

WEIGHTS ?= ternary
ENGINE ?= hls
NAME := $(WEIGHTS)$(if $(filter rtl,$(ENGINE)),-rtl)
SEED ?= 0
BOARD ?= pynq-z2
DEMO := build/demo
DESIGN ?= vowels-$(NAME)
MODEL ?= $(DEMO)/$(WEIGHTS).keras
PROJECT ?= $(DEMO)/$(NAME)
TARGET ?= xilinx@pynq:
THREADS ?= 1
NOX := $(VENV)/bin/nox --reuse-existing-virtualenvs
TESTS ?= tests/hls
# The module and the options that `make bench-<name>` runs.
BENCH_accuracy := accuracy --seeds 5
BENCH_boards := rtl.boards
BENCH_route := rtl.route
BENCH_stages := rtl.stages
BENCH_masks := masks
BENCH_eie := machines.eie
BENCH_skip := machines.skip_engine
BENCH_gru := machines.delta_gru
BENCH_cpu := cpu.baseline
BENCH_emulation := emulation
BENCH_emission := emission
BENCH_training := cpu.training
BENCH_vitis := upstream.side_by_side
BENCH_ese := ese
BENCH_host := host bitstreams/$(DESIGN)
BENCHES := $(patsubst BENCH_%,%,$(filter BENCH_%,$(.VARIABLES)))

help: ## list the targets
	@grep -hE '^[a-z0-9%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9%-]+):.*## (.*)/  \1\t\2/' | expand -t 22
	@echo; echo "  WEIGHTS=ternary|int4  ENGINE=hls|rtl  SEED=0  DESIGN=$(DESIGN)  BOARD=$(BOARD)  MODEL=  PROJECT=  TARGET=user@board:"
	@echo "  TESTS=tests/hls  HLS4ML=<path of hls4ml's source>  THREADS=1 (BLAS threads of bench-%)"

setup: $(READY) ## make the virtual environment .venv with pinned dependencies

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else f"make: $(PYTHON) is Python {v[0]}.{v[1]}; 3.11 or 3.12 is needed: make setup PYTHON=python3.11")'
	@command -v g++ >/dev/null || { echo "make: g++ is not on PATH; the emulated engine is compiled with it: apt-get install g++"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --disable-pip-version-check -c constraints.txt -e '.[train,hls,rtl,board,docs,dev]'
	@touch $@

demo: $(READY) ## real speech through a sparse LSTM engine: data, train, compress, emit, build, run, check
	$(ESE4ML) data
	@test -f $(DEMO)/dense-$(SEED).keras || $(ESE4ML) train --out $(DEMO)/dense-$(SEED).keras --seed $(SEED)
	$(ESE4ML) compress $(DEMO)/dense-$(SEED).keras --out $(MODEL) --weights $(WEIGHTS) --seed $(SEED)
	$(ESE4ML) emit $(MODEL) --out $(PROJECT) --board $(BOARD) --flow $(ENGINE) --quiet
	$(ESE4ML) build $(PROJECT) --out bitstreams/$(DESIGN)
	$(ESE4ML) run bitstreams/$(DESIGN)
	$(ESE4ML) check bitstreams/$(DESIGN) --report $(DEMO)/report
	@echo "Results: $(DEMO)/report/report.html and report.json; design: bitstreams/$(DESIGN); project: $(PROJECT)"

picture: demo ## take the README's picture again: the demo's page as it is, by a headless Chromium on PATH
	$(CHROMIUM) --headless --disable-gpu --no-sandbox --hide-scrollbars --window-size=880,1760 \
		--screenshot=$(CURDIR)/docs/figures/report.png file://$(CURDIR)/$(DEMO)/report/report.html

test: $(READY) ## all tests that need neither a board nor a vendor's tool
	$(VENV)/bin/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder
	@echo "Passed. Tests of several minutes: make test-all"

test-all: $(READY) ## the slow tests and those that use the network too
	$(VENV)/bin/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m 'not board and not vitis and not bambu'

rtl: $(READY) ## prove the engine in RTL, with bambu and verilator on PATH; cases that are proved already do not run again: docs/results/rtl.md
	$(VENV)/bin/python -m benchmarks.rtl.prove

parts: $(READY) ## synthesize the engine's parts, pipelined, and count their area, with bambu, verilator and yosys on PATH: docs/results/parts.md
	$(VENV)/bin/python -m benchmarks.rtl.parts

count: $(READY) ## count engines in RTL by Yosys, and record the counts of those whose source has changed; COUNT="--check ternary-64" counts again and compares
	$(VENV)/bin/python -m ese_rtl.count $(COUNT)

plain: $(READY) ## install and run the wheel without extras and pins, with every Python from 3.10 to 3.13 on PATH
	$(VENV)/bin/nox -s plain

test-pynq31: $(READY) ## the host's tests with pynq 3.1 on Python 3.10, as on the images of PYNQ-Z1 and Z2
	$(NOX) -s pynq31

test-32bit: $(READY) ## the host's tests on a 32-bit Python, by root on Debian with mmdebstrap; ROOT32=<an i386 root> takes that one
	$(NOX) -s bits32 -- $(ROOT32)

test-newest: $(READY) ## the tests in TESTS (tests/hls) with the newest release of hls4ml that pip finds
	$(NOX) -s newest -- $(TESTS)

test-keras2: $(READY) ## the plugin with Keras 2 (QKeras 0.9 on TensorFlow 2.14), which must make the same images
	$(NOX) -s keras2

test-hls4ml: $(READY) ## hls4ml's own tests with backend ESE; HLS4ML=<path of its source>: docs/results/hls4ml-tests.md
	$(NOX) -s hls4ml -- $(HLS4ML)

test-hls4ml-keras2: $(READY) ## the same under Keras 2: docs/results/hls4ml-tests-keras2.md
	$(NOX) -s hls4ml_keras2 -- $(HLS4ML)

keras2-images: $(READY) ## record the images that test-keras2 expects, with Keras 3: tests/hls/keras2/images.json
	$(VENV)/bin/python tests/hls/keras2/record_keras2.py

docs: $(READY) ## build the documentation site into build/docs, without network
	$(VENV)/bin/sphinx-build --fail-on-warning --keep-going --quiet docs build/docs
	@echo "Open build/docs/index.html in a browser."

check: $(READY) ## ruff, mypy, import-linter, the rules of rooms and of prose, clang-format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	PYTHONPATH=. $(VENV)/bin/lint-imports
	$(VENV)/bin/python -m benchmarks.rooms --check
	$(VENV)/bin/python -m benchmarks.prose
	$(VENV)/bin/clang-format --dry-run --Werror $(CSRC)

hls-rules: $(READY) ## list what breaks the rules of HLS C++ in csrc: support/hls_rules
	$(VENV)/bin/python -m support.hls_rules

format: $(READY) ## let ruff and clang-format put the sources in order
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/clang-format -i $(CSRC)

emit: $(READY) ## MODEL -> project PROJECT, for Vitis HLS or, with ENGINE=rtl, in Verilog
	$(ESE4ML) emit $(MODEL) --out $(PROJECT) --board $(BOARD) --flow $(ENGINE)

build: $(READY) ## PROJECT -> emulated bitstream bitstreams/DESIGN
	$(ESE4ML) build $(PROJECT) --out bitstreams/$(DESIGN)

bitstream: $(READY) ## MODEL -> bitstreams/DESIGN for BOARD: with Vitis HLS and Vivado on PATH (ENGINE=rtl: Vivado), else the emulated one
	$(ESE4ML) emit $(MODEL) --out $(PROJECT) --board $(BOARD) --flow $(ENGINE)
	@if command -v vivado >/dev/null; then $(ESE4ML) build $(PROJECT) --with vivado --out bitstreams/$(DESIGN); \
	else echo "vivado is not on PATH: building the emulated bitstream, which runs on this machine only"; \
	$(ESE4ML) build $(PROJECT) --out bitstreams/$(DESIGN); fi

wheel: $(READY) ## build into dist/ the wheel that a board installs
	$(VENV)/bin/pip wheel --disable-pip-version-check --no-deps -w dist .

release: $(READY) ## build wheel and source distribution into dist/, and check both as a package index would
	$(VENV)/bin/nox -s release

deploy: wheel ## copy the wheel, bitstreams/DESIGN and the notebook to TARGET
	scp -r dist/*.whl bitstreams/$(DESIGN) docs/how-to/on-the-board.ipynb $(TARGET)

bench-cpu: export OPENBLAS_NUM_THREADS := $(THREADS)
bench-cpu: export MKL_NUM_THREADS := $(THREADS)

study: $(READY) ## the study of pruning, balance and weight codes; resumable: docs/results/study.md
	$(ESE4ML) study measure
	$(ESE4ML) study list
	$(ESE4ML) study run
	$(ESE4ML) study report

bench-%: $(READY) ## measure and write a page of docs/; % is accuracy, boards, route, stages, masks, eie, ese, skip, gru, cpu, emulation, emission, training, vitis or host
	$(if $(BENCH_$*),,$(error make: there is no benchmark '$*'; there are: $(BENCHES)))
	$(VENV)/bin/python -m benchmarks.$(BENCH_$*)

contract: $(READY) ## write csrc/engine/contract.h again, from the host's tables of registers, packets and images
	$(VENV)/bin/python -m ese_hls.project.contract_header

lock: $(READY) ## write constraints.txt again from pyproject.toml
	$(VENV)/bin/pip install --disable-pip-version-check uv
	$(VENV)/bin/uv pip compile pyproject.toml --extra train --extra hls --extra rtl --extra board --extra docs --extra dev --universal \
	    --python-version 3.11 --no-annotate --no-header -q -o constraints.txt

clean: ## remove build/, dist/, .venv and caches; bitstreams/ and the downloaded data stay
	rm -rf build dist $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

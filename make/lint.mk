# Each linter is made to pass; what it is told to leave out has its reason in its own file (.clang-tidy, tests/cppcheck.cfg) or here.
LINT_C  := $(VASSALS) $(SUPERVISOR) $(CLIENT) supervisor/main.c
SCRIPTS := $(shell grep -lIE '^\#!/bin/(ba)?sh' .ci/* contrib/* contrib/*/* tests/* tests/*/* units/* 2>/dev/null)
MANUALS := $(wildcard man/*.[1-8])

#: lint         cppcheck, clang-tidy, shellcheck, mandoc
lint: lint-cppcheck lint-shell lint-man lint-tidy

# internalAstError: 2.10 cannot read a compound literal behind a "?".
lint-cppcheck:
	cppcheck -q -j2 --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 --library=tests/cppcheck.cfg \
		--suppress=internalAstError:supervisor/court_requests.c \
		-I. -D_GNU_SOURCE -DREGENT_SYSTEMD=1 vassals supervisor tests/accept tests/sim

# One stamp a file: a second run looks at what has changed only (a header: all).
lint-tidy: $(LINT_C:%=$(BUILD)/lint/%.tidy)
$(BUILD)/lint/%.tidy: % .clang-tidy $(wildcard vassals/*.h supervisor/*.h)
	@mkdir -p $(@D)
	clang-tidy --quiet $< -- $(filter-out -MMD -MP,$(CPPFLAGS)) -std=c11 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

lint-shell:
	shellcheck -x $(SCRIPTS)

# They are not installed yet, so mandoc cannot find one from the other.
lint-man: $(BUILD)/regent.8
	! mandoc -T lint -W style $(MANUALS) $(BUILD)/regent.8 | grep -v 'referenced manual not found: Xr regent'

.PHONY: lint lint-cppcheck lint-tidy lint-shell lint-man

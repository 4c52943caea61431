# Tests, the demo, and what they need. Everything that needs root goes through $(SUDO).
SUDO   := $(shell [ $$(id -u) = 0 ] || echo sudo)
PYTEST := $(SUDO) /usr/bin/python3 -B -m pytest -p no:cacheprovider -q

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
$(BUILD)/unit/%: $(BUILD)/san/tests/unit/%.o $(call SOBJ,$(LIB))
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) -o $@ $^ $(LIBS_DAEMON) -lcmocka

#: unit         the unit tests, under ASan and UBSan
unit: $(UNIT)
	@for t in $(UNIT); do echo "== $$t"; $$t || exit 1; done

#: floors       no include goes up, nothing has grown too long, the tables in ARCHITECTURE.md are those of the code
floors:
	@tests/floors
	@tests/floors --planted
	@tests/table_of_states --check ARCHITECTURE.md

#: sim          100,000 steps of the court against a simulated keeper; sim-planted: planted bugs are found
#: accept       the acceptance tests against uWSGI's Emperor (accept-uwsgi) and against regent (accept-regent)
include $(wildcard tests/sim/sim.mk tests/accept/accept.mk tests/bench/bench.mk)
include tests/e2e/e2e.mk

#: systemd      regent under a real systemd, booted in namespaces of its own
systemd: all
	@$(SUDO) tests/systemd/run $(BUILD)

#: deps         installs what build, tests, lint and demo need (Debian's packages)
deps:
	@contrib/install-deps build test lint demo e2e
deps-build deps-test deps-lint deps-demo deps-e2e: deps-%:
	@contrib/install-deps $*

# In an order: packages first, whatever -j says; the cheapest answer next.
#: test         all of the above but bench, packages included
test:
	@contrib/install-deps build test lint demo e2e
	@$(MAKE) --no-print-directory all floors
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory sim
	@$(MAKE) --no-print-directory accept
	@$(MAKE) --no-print-directory systemd
	@$(MAKE) --no-print-directory e2e
	@echo "regent: all tests passed"

#: demo         a site on nginx and uWSGI under regent, pushed to under load: new code, broken code, its repair
demo:
	@contrib/install-deps build demo
	@$(MAKE) --no-print-directory all
	@$(SUDO_DEMO) contrib/demo $(BUILD)
# Without root and without sudo the demo leaves out the drop to another user, and says so.
SUDO_DEMO = $(shell if [ $$(id -u) != 0 ]; then sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; } && echo sudo; fi)

.PHONY: unit floors systemd deps deps-build deps-test deps-lint deps-demo deps-e2e test demo

# The acceptance tests: the same tests against uWSGI's Emperor and against regent. See tests/README.md.
FAKE_VASSAL := $(BUILD)/tests/fake_vassal
PYTEST      ?= /usr/bin/python3 -B -m pytest -p no:cacheprovider -q
ACCEPT      := $(PYTEST) tests/accept --build=$(BUILD)

# Static: the same program is the benchmarks' floor, and there the dynamic loader would be most of what is measured.
$(FAKE_VASSAL): tests/accept/fake_vassal.c tests/accept/fake_record.c tests/accept/fake_vassal.h
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE $(WARN) -O2 -static -o $@ $(filter %.c,$^)

# Clients under which deploys are done, and what makes uWSGI's window between accept4() and a request wide enough to be hit.
LOAD        := $(BUILD)/tests/load
SLOW_ACCEPT := $(BUILD)/tests/slow_accept.so
$(LOAD): tests/accept/load.c tests/accept/load_count.c tests/accept/load.h
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE $(WARN) -O2 -o $@ $(filter %.c,$^)
$(SLOW_ACCEPT): tests/accept/slow_accept.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE $(WARN) -O2 -fPIC -shared -o $@ $<
ACCEPT_TOOLS := $(FAKE_VASSAL) $(LOAD) $(SLOW_ACCEPT)

accept-uwsgi: $(ACCEPT_TOOLS)
	$(ACCEPT) --supervisor=uwsgi
accept-regent: $(ACCEPT_TOOLS) $(BUILD)/san/regent $(BUILD)/san/regentctl
	$(ACCEPT) --supervisor=regent
accept: accept-uwsgi accept-regent

#: test-long    the long forms: 50 mixed deploys, 60 handovers with slow accepts, 100 kills of the ruler under load, 1,000 operations on 50 masters, 6 million steps simulated
LONG_TESTS := test_handover_load or test_killed_at_random or test_random or test_ruler_is_killed_at_random
test-long: $(ACCEPT_TOOLS) $(BUILD)/san/regent $(BUILD)/san/regentctl
	REGENT_LONG=1 $(ACCEPT) --supervisor=regent -k "$(LONG_TESTS)"
	$(MAKE) --no-print-directory sim SIM_SEEDS="$$(seq -s ' ' 101 130)" SIM_STEPS=200000

.PHONY: accept accept-uwsgi accept-regent test-long

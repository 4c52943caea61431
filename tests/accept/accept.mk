# The acceptance tests: the same tests against uWSGI's Emperor and against regent. See tests/README.md.
FAKE_VASSAL := $(BUILD)/tests/fake_vassal
PYTEST      ?= /usr/bin/python3 -B -m pytest -p no:cacheprovider -q
ACCEPT      := $(PYTEST) tests/accept --build=$(BUILD)

# Static: the same program is the benchmarks' floor, and there the dynamic loader would be most of what is measured.
$(FAKE_VASSAL): tests/accept/fake_vassal.c tests/accept/fake_record.c tests/accept/fake_vassal.h
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE $(WARN) -O2 -static -o $@ $(filter %.c,$^)

accept-uwsgi: $(FAKE_VASSAL)
	$(ACCEPT) --supervisor=uwsgi
accept-regent: $(FAKE_VASSAL) $(BUILD)/san/regent $(BUILD)/san/regentctl
	$(ACCEPT) --supervisor=regent
accept: accept-uwsgi accept-regent

.PHONY: accept accept-uwsgi accept-regent

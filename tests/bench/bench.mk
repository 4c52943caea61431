# The benchmarks: regent beside uWSGI's Emperor and beside the bare floor, in one run. As root. QUICK=1: rough, below 90 s.
FLOOR := $(BUILD)/bench/floor
BENCH := /usr/bin/python3 -B tests/bench/bench.py --build=$(BUILD) $(if $(QUICK),--quick) $(if $(DEPLOYS),--deploys)

# Static, as the program it starts.
$(FLOOR): tests/bench/floor.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE $(WARN) -O2 -static -o $@ $<

bench: $(FLOOR) $(FAKE_VASSAL) $(LOAD) $(BUILD)/regent
	$(BENCH)

.PHONY: bench

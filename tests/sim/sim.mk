# The simulation: the real state machine, court and admission against a simulated keeper. Included by the top Makefile.
SIM_SRC := $(wildcard vassals/vassal*.c) vassals/backoff.c vassals/failure.c vassals/util.c vassals/probe.c \
           supervisor/admission.c $(wildcard supervisor/court*.c) $(wildcard tests/sim/*.c)
SIM_SEEDS ?= 1 2 3 4 5 6 7 8 9 10
SIM_STEPS ?= 50000

$(BUILD)/sim: $(call SOBJ,$(SIM_SRC))
	$(CC) $(SANITIZE) -o $@ $^

# 500,000 steps over ten courts; a failing seed is replayed by build/sim --seed S --steps N.
sim: $(BUILD)/sim
	@for seed in $(SIM_SEEDS); do $(BUILD)/sim --steps $(SIM_STEPS) --seed $$seed || exit 1; done
sim-planted:
	@CC="$(CC)" SOURCES="$(SIM_SRC)" tests/sim/planted.sh
.PHONY: sim sim-planted

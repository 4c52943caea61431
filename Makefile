# regent: see README.md. Targets a person needs: all, test, demo, lint, bench, install.
CC      ?= gcc
PREFIX  ?= /usr/local
BUILD   ?= build
VERSION := 0.1.0

# -Wshadow, -Wundef, -Wvla: a shadowed descriptor, a misspelt macro and an unbounded stack are the three mistakes
# the compiler can see and a reviewer often cannot. -Wswitch-enum: a new state must visit every table.
WARN := -std=c11 -Wall -Wextra -Wswitch-enum -Wshadow -Wundef -Wmissing-prototypes -Wstrict-prototypes \
        -Wwrite-strings -Wvla -Wformat=2 -Werror
HARDEN := -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
CPPFLAGS += -I. -D_GNU_SOURCE -DREGENT_VERSION='"$(VERSION)"' -MMD -MP
CFLAGS  ?= -O2 -g
LDFLAGS += -pie -Wl,-z,relro -Wl,-z,now
# The test build: everything under the sanitizers. A leak is a failure.
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# libsystemd is optional: without it there is no sd_notify (SYSTEMD=0).
SYSTEMD ?= $(shell pkg-config --exists libsystemd && echo 1 || echo 0)
CPPFLAGS += -DREGENT_SYSTEMD=$(SYSTEMD)
LIBS_DAEMON := -lev -linih -lcap -lm
ifeq ($(SYSTEMD),1)
LIBS_DAEMON += -lsystemd
endif
LIBS_CLIENT := -ljansson

VASSALS    := $(wildcard vassals/*.c)
SUPERVISOR := $(filter-out supervisor/main.c supervisor/regentctl%.c,$(wildcard supervisor/*.c))
CLIENT     := $(wildcard supervisor/regentctl*.c)
LIB        := $(VASSALS) $(SUPERVISOR)

OBJ  = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
SOBJ = $(patsubst %.c,$(BUILD)/san/%.o,$(1))

all: $(BUILD)/regent $(BUILD)/regentctl

$(BUILD)/regent: $(call OBJ,$(LIB) supervisor/main.c)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_DAEMON)
$(BUILD)/regentctl: $(call OBJ,$(CLIENT))
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CLIENT)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) $(HARDEN) -c -o $@ $<
$(BUILD)/san/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(SANITIZE) -c -o $@ $<

# The same two programs under ASan and UBSan; the acceptance tests run these.
$(BUILD)/san/regent: $(call SOBJ,$(LIB) supervisor/main.c)
	$(CC) $(SANITIZE) -o $@ $^ $(LIBS_DAEMON)
$(BUILD)/san/regentctl: $(call SOBJ,$(CLIENT))
	$(CC) $(SANITIZE) -o $@ $^ $(LIBS_CLIENT)
sanitized: $(BUILD)/san/regent $(BUILD)/san/regentctl

# ---- tests
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
$(BUILD)/unit/%: $(BUILD)/san/tests/unit/%.o $(call SOBJ,$(LIB))
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) -o $@ $^ $(LIBS_DAEMON) -lcmocka
unit: $(UNIT)
	@for t in $(UNIT); do echo "== $$t"; $$t || exit 1; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all clean unit sanitized
.SECONDARY:

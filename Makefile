# regent: see README.md. What a person needs: make, make test, make demo, make install. The rest: make help.
ifeq ($(origin CC),default)
CC := gcc
endif
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
LIBS_CLIENT := -ljansson -linih -lm

VASSALS    := $(wildcard vassals/*.c)
SUPERVISOR := $(filter-out supervisor/main.c supervisor/regentctl%.c,$(wildcard supervisor/*.c))
CLIENT     := $(wildcard supervisor/regentctl*.c)
# What the client shares with the daemon: who reads an ini and says what it means.
SHARED     := $(wildcard vassals/spec*.c vassals/sockets_text.c) vassals/ini.c vassals/util.c supervisor/json.c supervisor/report.c supervisor/sources.c
LIB        := $(VASSALS) $(SUPERVISOR)

OBJ  = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
SOBJ = $(patsubst %.c,$(BUILD)/san/%.o,$(1))

all: $(BUILD)/regent $(BUILD)/regentctl $(BUILD)/regent.8

$(BUILD)/regent: $(call OBJ,$(LIB) supervisor/main.c)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_DAEMON)
$(BUILD)/regentctl: $(call OBJ,$(CLIENT) $(SHARED))
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
$(BUILD)/san/regentctl: $(call SOBJ,$(CLIENT) $(SHARED))
	$(CC) $(SANITIZE) -o $@ $^ $(LIBS_CLIENT)
sanitized: $(BUILD)/san/regent $(BUILD)/san/regentctl

# The list of options in regent(8) is the program's own.
$(BUILD)/regent.8: man/regent.8.in $(BUILD)/regent
	$(BUILD)/regent --mdoc-options >$(BUILD)/options.mdoc
	sed -e '/^@OPTIONS@$$/{r $(BUILD)/options.mdoc' -e 'd;}' man/regent.8.in >$@

# A second opinion on the same flags.
clang:
	$(MAKE) BUILD=$(BUILD)/clang CC=clang all

clean:
	rm -rf $(BUILD)

include make/test.mk make/lint.mk make/install.mk

help:
	@sed -n 's/^#: //p' Makefile make/*.mk
#: all          regent, regentctl and regent.8 in build/
#: clang        the same with clang, in build/clang/
#: clean        removes build/

-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)
.PHONY: all clang clean help sanitized
.DEFAULT_GOAL := all
.SECONDARY:

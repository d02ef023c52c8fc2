# armd - everything builds into $(BUILD)/; `make help` lists the targets.

CC       ?= cc
BUILD    ?= build
ARCH     ?= native
PREFIX   ?= /usr/local
SECONDS  ?= 60
VERSION  := 0.1.0
SANITIZE ?=

# No fast-math and no contraction: the same seed gives the same bytes on every CPU.
CFLAGS   ?= -O3 -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla $(if $(CI),-Werror)
ALL_CFLAGS = -std=gnu11 $(CFLAGS) -march=$(ARCH) -ffp-contract=off -fno-math-errno \
             -fno-trapping-math -fopenmp $(WARN) $(if $(SANITIZE),-fsanitize=$(SANITIZE) \
             -fno-omit-frame-pointer)
ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DARMD_VERSION='"$(VERSION)"' $(CPPFLAGS)

PKGS_snn    := openblas lapacke jansson
PKGS_robot  := libserialport
PKGS_daemon := libczmq libzmq yaml-0.1 jansson libsystemd
PKGS        := $(sort $(PKGS_snn) $(PKGS_robot) $(PKGS_daemon))
LIBS        = $(shell pkg-config --libs $(PKGS)) -lmujoco -lm -lpthread
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)

# Debian packages: what it takes to build, to test, to lint, to measure
DEPS := build-essential pkg-config libserialport-dev libczmq-dev libzmq3-dev libyaml-dev \
        libjansson-dev libmujoco-dev libopenblas-dev liblapacke-dev libsystemd-dev \
        gnuplot-nox
DEPS_TEST  := libcriterion-dev valgrind systemd
DEPS_LINT  := clang libomp-dev clang-format clang-tidy cppcheck
DEPS_BENCH := rt-tests

MODULES  := pcm snn robot daemon
PROGRAMS := armd armctl armsim armtrain
MAINS    := daemon/armd.c daemon/armctl.c robot/armsim.c snn/armtrain.c
SRC      := $(foreach m,$(MODULES),$(wildcard $(m)/*.c))
LIB_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAINS),$(SRC)))
BINS     := $(foreach m,$(MAINS),$(if $(wildcard $(m)),$(BUILD)/$(basename $(notdir $(m)))))
TEST_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/test_*.c tests/support*.c))
BENCH_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench*.c))
FUZZERS  := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/fuzz_*.c))
C_FILES  := $(SRC) $(wildcard tests/*.c)
H_FILES  := $(wildcard pcm/*.h snn/*.h robot/*.h daemon/*.h tests/*.h)

.PHONY: all deps demo test test-run test-sanitize bench lint layers fuzz install clean help
all: $(BINS)

help:
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/'

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(PKG_CFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libarmd.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

define program
$(BUILD)/$(basename $(notdir $(1))): $(BUILD)/$(1:.c=.o) $(BUILD)/libarmd.a
	$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)
endef
$(foreach m,$(MAINS),$(eval $(call program,$(m))))

-include $(LIB_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(BENCH_OBJ:.o=.d) $(MAINS:%.c=$(BUILD)/%.d)

clean: ## remove what was built
	rm -rf build

# armd - everything builds into $(BUILD)/; `make help` lists the targets.

CC       ?= cc
BUILD    ?= build
ARCH     ?= native
PREFIX   ?= /usr/local
SECONDS  ?= 60
ROUNDS   ?= 500
VERSION  := 0.1.0
SANITIZE ?=

# No fast-math and no contraction: the same seed gives the same bytes on every CPU.
CFLAGS   ?= -O3 -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla $(if $(CI),-Werror)
ALL_CFLAGS = -std=gnu11 $(CFLAGS) -march=$(ARCH) -ffp-contract=off -fno-math-errno \
             -fno-trapping-math -fopenmp $(WARN) $(if $(SANITIZE),-fsanitize=$(SANITIZE) \
             -fno-omit-frame-pointer)
ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DARMD_VERSION='"$(VERSION)"' \
               -DARMD_PAGES='"$(DATADIR)/web"' $(CPPFLAGS)

PKGS_snn    := openblas lapacke jansson
PKGS_robot  := libserialport
PKGS_daemon := libczmq libzmq yaml-0.1 jansson libsystemd zlib
PKGS        := $(sort $(PKGS_snn) $(PKGS_robot) $(PKGS_daemon))
PKGS_train  := ompi-c # the program armtrain alone
PKGS_web    := libwebsockets # the program armweb alone
LIBS        = $(shell pkg-config --libs $(PKGS)) -lmujoco -lm -lpthread
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) $(PKGS_train) $(PKGS_web) 2>/dev/null)

# Debian packages: what it takes to build, to test, to lint, to measure
DEPS := build-essential pkg-config libserialport-dev libczmq-dev libzmq3-dev libyaml-dev \
        libjansson-dev zlib1g-dev libmujoco-dev libopenblas-dev liblapacke-dev libsystemd-dev \
        libwebsockets-dev libopenmpi-dev openmpi-bin gnuplot-nox jq
DEPS_TEST  := libcriterion-dev strace valgrind systemd mandoc python3-zmq
DEPS_LINT  := clang libclang-rt-14-dev libomp-dev clang-format clang-tidy cppcheck
DEPS_DEB   := debhelper dpkg-dev fakeroot lintian
DEPS_BENCH := rt-tests
# compared with where present; large, so that no other target installs them
DEPS_TORCH := python3-torch python3-numpy

MODULES  := pcm snn robot daemon
PROGRAMS := armd armctl armguard armweb armsim armtrain
MAINS    := daemon/armd.c daemon/armctl.c daemon/armguard.c daemon/armweb.c \
            robot/armsim.c snn/armtrain.c
EXAMPLE  := pcm/example.c
SRC      := $(foreach m,$(MODULES),$(wildcard $(m)/*.c))
LIB_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAINS) $(EXAMPLE),$(SRC)))
BINS     := $(foreach m,$(MAINS),$(if $(wildcard $(m)),$(BUILD)/$(basename $(notdir $(m)))))
TEST_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/test_*.c tests/support*.c))
BENCH_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench*.c) tests/support_torch.c)
FUZZERS  := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/fuzz_*.c))
C_FILES  := $(SRC) $(wildcard tests/*.c)
H_FILES  := $(wildcard pcm/*.h snn/*.h robot/*.h daemon/*.h tests/*.h)

.PHONY: all deps demo demo-web strokes test test-run test-sanitize bench lint layers fuzz install clean help
all: $(BINS) $(BUILD)/pcm-example

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
$(foreach m,$(filter-out daemon/armguard.c,$(MAINS)),$(eval $(call program,$(m))))

$(BUILD)/armtrain: LIBS += $(shell pkg-config --libs $(PKGS_train))
$(BUILD)/armweb: LIBS += $(shell pkg-config --libs $(PKGS_web))
# only what it uses of what libarmd.a needs
$(BUILD)/armweb: LDFLAGS += -Wl,--as-needed

# the last one to stand: libc alone
$(BUILD)/armguard: $(BUILD)/daemon/armguard.o $(BUILD)/daemon/ward.o
	$(CC) $(filter-out -fopenmp,$(ALL_CFLAGS)) $(LDFLAGS) -o $@ $^

# what users of pcm/ alone need: libc
$(BUILD)/pcm-example: $(patsubst %.c,$(BUILD)/%.o,$(wildcard pcm/*.c))
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lm

-include $(LIB_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(BENCH_OBJ:.o=.d) $(MAINS:%.c=$(BUILD)/%.d) $(EXAMPLE:%.c=$(BUILD)/%.d)


# ---- packages -------------------------------------------------------------
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# installs what is missing of the packages in $(1), by name
install_missing = @missing=""; for p in $(1); do \
	dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || \
	missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then echo "installing:$$missing"; \
	$(SUDO) apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
	$(SUDO) apt-get -qq install -y --no-install-recommends $$missing >/dev/null; fi

deps: ## install the Debian packages that are missing (build and demo)
	$(call install_missing,$(DEPS))
deps-test:
	$(call install_missing,$(DEPS) $(DEPS_TEST))
deps-lint:
	$(call install_missing,$(DEPS) $(DEPS_LINT) $(DEPS_TEST))
deps-deb:
	$(call install_missing,$(DEPS) $(DEPS_DEB))
deps-bench:
	$(call install_missing,$(DEPS) $(DEPS_BENCH))
deps-torch: ## PyTorch, which make test and make bench compare with
	$(call install_missing,$(DEPS_TORCH))
deps-mcap: ## the reader of MCAP's makers, which make test compares with; not from Debian
	@python3 -m venv build/mcap && build/mcap/bin/pip -q install mcap
.PHONY: deps deb deps-deb deps-test deps-lint deps-bench deps-torch deps-mcap

# pkg-config answers once the packages are there, hence a make of its own
demo: deps ## teach two paths to a simulated arm, run them, draw them
	@$(MAKE) --no-print-directory -s -j2 all
	@BUILD=$(BUILD) daemon/demo

demo-web: deps ## the page of a simulated arm, for a person with a browser; PORT= WEIGHTS=
	@$(MAKE) --no-print-directory -s -j2 all web
	@BUILD=$(BUILD) daemon/demo-web

strokes: deps ## teach drawings by people, run them, draw them all; WEIGHTS= DRAWINGS=12|all
	@$(MAKE) --no-print-directory -s -j2 all
	@BUILD=$(BUILD) daemon/strokes

# ---- tests ----------------------------------------------------------------
$(BUILD)/tests/run: $(TEST_OBJ) $(BUILD)/libarmd.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lcriterion -lutil

# stands before malloc: no sanitizer in it
$(BUILD)/tests/malloc_watch.so: tests/malloc_watch.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -shared -fPIC -fno-builtin -o $@ $<

$(BUILD)/bench: $(BENCH_OBJ) $(BUILD)/libarmd.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

tests: $(BUILD)/tests/run $(BUILD)/tests/malloc_watch.so all
test: deps-test ## sanitizers and valgrind first, then every test with the real programs
	@$(MAKE) --no-print-directory -j2 BUILD=build/asan SANITIZE=address,undefined \
	CFLAGS="-O1 -g" tests
	@$(MAKE) --no-print-directory -j2 tests
	@echo "--- unit tests under AddressSanitizer and UndefinedBehaviorSanitizer"
	@ARMD_BUILD=build/asan ASAN_OPTIONS=detect_leaks=0 build/asan/tests/run \
	--filter '!(armsim|scenario*|strokes|mpi)/*' -j2
	@echo "--- unit and scenario tests"
	@ARMD_BUILD=$(BUILD) tests/all $(BUILD)/tests/run

crash: tests ## kill -9 at ROUNDS random moments of teaching and forgetting
	@ARMD_BUILD=$(BUILD) ARMD_CRASH_ROUNDS=$(ROUNDS) $(BUILD)/tests/run -j1 \
	--filter 'scenario_state/kill_9*'

soak: deps-test ## armd for HOURS=24 of simulated time: teach, run, fault, forget, as SEED=1 draws
	@$(MAKE) --no-print-directory -s -j2 all
	@BUILD=$(BUILD) HOURS=$(or $(HOURS),24) SEED=$(or $(SEED),1) /usr/bin/python3 tests/soak.py
.PHONY: soak

losses: tests ## ten simulated minutes at 500 Hz with lost and spoilt replies
	@ARMD_LOSS_SECONDS=600 $(BUILD)/tests/run -j1 --verbose=0 \
	--filter 'robot_bus_chain/lost*'

faults: tests ## every trouble of bus and servos, whatever the arm does: times to rest
	@ARMD_BUILD=$(BUILD) ARMD_FAULTS=all $(BUILD)/tests/run -j1 --filter 'scenario_faults/*'

# of a running arm, measured by the test: the event after the cause, and the last motion
fault_times = echo "faults of a running arm, simulated ms after the cause (and what armd.8 promises)"; \
	echo "  trouble       named               named  promised   at rest  promised"; \
	ARMD_BUILD=$(BUILD) ARMD_FAULTS=running $(BUILD)/tests/run -j2 \
	--filter 'scenario_faults/*' 2>&1 | sed -n 's/^times:/ /p; /FAIL/p'

payload: all ## 200 g at the tip of each arm: how near the path of its network?
	@ARMD_BUILD=$(BUILD) tests/payload

web-load: tests ## what ten open pages cost armd and armweb, beside none, in one minute
	@ARMD_BUILD=$(BUILD) ARMD_WEB_SECONDS=15 $(BUILD)/tests/run -j1 --verbose=0 \
	--filter 'scenario_web_load/*'
.PHONY: faults payload web-load

memcheck: deps-test ## a teaching under valgrind (which knows no AVX-512)
	@$(MAKE) --no-print-directory -j2 BUILD=build/valgrind ARCH=x86-64-v3 CFLAGS="-O1 -g" all
	@valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=1 \
	build/valgrind/armtrain eval --weights config/weights/generic-2j.safetensors \
	--backend pcm --sample 1 --updates 2 --json >/dev/null && echo "memcheck: clean"

bench: deps-bench deps-test ## figures, ratios measured in the same run; times of faults
	@$(MAKE) --no-print-directory -s -j2 all $(BUILD)/bench $(BUILD)/tests/run
	@BUILD=$(BUILD) $(BUILD)/bench
	@BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/bench_arm.py
	@$(fault_times)

# ---- the page -------------------------------------------------------------
WEB      := daemon/web
WEB_SRC  := $(wildcard $(WEB)/*.html $(WEB)/*.css $(WEB)/*.js $(WEB)/*.svg $(WEB)/pure/*.js)
WEB_NPM  := $(BUILD)/web-npm
DEPS_WEB := nodejs npm chromium

web: ## the page that armweb serves, into build/web; wants npm
	@if command -v npm >/dev/null; then \
	$(MAKE) --no-print-directory $(BUILD)/web/index.html; else \
	echo "web: npm is not here, so there is no page; everything else works without"; fi

# three and uplot as their makers publish them; of three's add-ons those that are used
ADDONS := controls/OrbitControls.js lines/Line2.js lines/LineGeometry.js lines/LineMaterial.js \
          lines/LineSegments2.js lines/LineSegmentsGeometry.js
$(WEB_NPM)/node_modules: $(WEB)/package.json $(WEB)/package-lock.json
	@mkdir -p $(WEB_NPM)
	cp $^ $(WEB_NPM)/
	cd $(WEB_NPM) && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(BUILD)/web/index.html: $(WEB_SRC) $(WEB_NPM)/node_modules
	@rm -rf $(BUILD)/web && mkdir -p $(BUILD)/web/vendor/addons/controls \
	$(BUILD)/web/vendor/addons/lines $(BUILD)/web/pure
	@cp $(WEB)/*.html $(WEB)/*.css $(WEB)/*.js $(WEB)/*.svg $(BUILD)/web/
	@cp $(WEB)/pure/*.js $(BUILD)/web/pure/
	@cd $(WEB_NPM)/node_modules && cp three/build/three.module.min.js \
	three/build/three.core.min.js uplot/dist/uPlot.esm.js uplot/dist/uPlot.min.css \
	$(abspath $(BUILD))/web/vendor/
	@for f in $(ADDONS); do sed -e "s|from 'three'|from '../../three.module.min.js'|" \
	-e "s|from '../lines/|from './|" $(WEB_NPM)/node_modules/three/examples/jsm/$$f \
	>$(BUILD)/web/vendor/addons/$$f || exit 1; done
	@cat $(WEB_NPM)/node_modules/three/LICENSE $(WEB_NPM)/node_modules/uplot/LICENSE \
	>$(BUILD)/web/vendor/LICENSES.txt
	@touch $@ && echo "web: $(BUILD)/web"

deps-web: # a node of one's own is good enough
	$(call install_missing,$(DEPS) $(filter-out $(if $(shell command -v node),nodejs) \
	$(if $(shell command -v npm),npm),$(DEPS_WEB)))
web-ready: deps-web ## can a browser and what the page's tests need be had here?
	@$(MAKE) --no-print-directory -s -j2 all web
	@mkdir -p $(BUILD)/web-tests
	@cp tests/web/package.json tests/web/package-lock.json $(BUILD)/web-tests/
	@cd $(BUILD)/web-tests && { [ node_modules -nt package-lock.json ] || \
	npm ci --ignore-scripts --no-audit --no-fund --silent; }
	@ARMD_BUILD=$(abspath $(BUILD)) node tests/web/probe.js
test-web: web-ready ## the page: its parts, and the whole of it in a browser, on the real programs
	@ARMD_BUILD=$(abspath $(BUILD)) tests/web/run
.PHONY: web deps-web web-ready test-web

# ---- quality --------------------------------------------------------------
lint: deps-lint ## clang-format, cppcheck, clang-tidy, and a build with clang
	@clang-format --dry-run --Werror $(C_FILES) $(H_FILES)
	@cppcheck --quiet --enable=warning,portability,performance --inline-suppr \
	--suppress=missingIncludeSystem --suppress=invalidPointerCast --error-exitcode=1 -I. -D_GNU_SOURCE \
	-DARMD_VERSION='"$(VERSION)"' --std=c11 $(SRC)
	@$(MAKE) --no-print-directory -s -j2 CI=1 CC=clang BUILD=build/clang all
	@printf '%s\n' $(SRC) | xargs -P2 -I{} clang-tidy --quiet {} -- -I. -D_GNU_SOURCE \
	-DARMD_VERSION='"$(VERSION)"' $(PKG_CFLAGS) -std=gnu11 -fopenmp 2>/dev/null && echo "lint: clean"

layers: ## who includes whom
	@tests/layers

# libFuzzer wants clang for everything that is looked into; it begins with what earlier runs found
CORPUS := build/fuzz/corpus
fuzz: deps-lint ## every fuzzer for SECONDS each, from the corpora in tests/corpus
	@$(MAKE) --no-print-directory -j2 CC=clang BUILD=build/fuzz CFLAGS="-O1 -g" \
	SANITIZE=address,undefined,fuzzer-no-link fuzzers
	@for f in $(notdir $(FUZZERS)); do echo "--- $$f"; mkdir -p $(CORPUS)/$$f; \
	tar -xzf tests/corpus/$$f.tar.gz -C $(CORPUS)/$$f || exit 1; \
	build/fuzz/$$f -max_total_time=$(SECONDS) -verbosity=0 -close_fd_mask=1 \
	$(CORPUS)/$$f || exit 1; done
fuzz-keep: ## what make fuzz found, as little of it as reaches the same, into tests/corpus
	@for f in $(notdir $(FUZZERS)); do rm -rf build/fuzz/kept; mkdir -p build/fuzz/kept; \
	build/fuzz/$$f -merge=1 -close_fd_mask=3 build/fuzz/kept $(CORPUS)/$$f || exit 1; \
	tar -C build/fuzz/kept --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - . | \
	gzip -9n >tests/corpus/$$f.tar.gz; done; ls -l tests/corpus
.PHONY: fuzz-keep
fuzzers: $(FUZZERS)
$(FUZZERS): $(BUILD)/%: $(BUILD)/tests/%.o $(BUILD)/libarmd.a
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)
.PHONY: tests memcheck fuzzers crash losses

# ---- installation ---------------------------------------------------------
# Where things go; systemd, udev and man look below /usr/local too.
BINDIR     ?= $(PREFIX)/bin
DATADIR    ?= $(PREFIX)/share/armd
MANDIR     ?= $(PREFIX)/share/man
UNITDIR    ?= $(PREFIX)/lib/systemd/system
CATALOGDIR ?= $(PREFIX)/lib/systemd/catalog
SYSUSERDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILEDIR ?= $(PREFIX)/lib/tmpfiles.d
UDEVDIR    ?= $(PREFIX)/lib/udev/rules.d
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
# where Debian's python3 looks below /usr, and below /usr/local
PYDIR      ?= $(PREFIX)/lib/python3$(if $(filter-out /usr,$(PREFIX)),.$(shell \
              /usr/bin/python3 -c 'import sys; print(sys.version_info.minor)'))/dist-packages
SYSCONFDIR ?= /etc
UNITS      := $(wildcard systemd/*.service)
MANPAGES   := $(wildcard daemon/*.[158] robot/*.[158] snn/*.[158])
# the shipped configuration, for files in their installed places and the arm of armsim@scorbot
INSTALLED   = -e 's|model: arms/|model: $(DATADIR)/arms/|' \
              -e 's|weights: weights/|weights: $(DATADIR)/weights/|' \
              -e 's|port: /run/armd/arm0|port: /run/armsim/scorbot|'

install: all ## PREFIX, DESTDIR; then: systemd-sysusers, systemctl daemon-reload, start armd
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(DATADIR) $(UNITDIR) $(CATALOGDIR) \
	$(SYSUSERDIR) $(TMPFILEDIR) $(UDEVDIR) $(BASHDIR) $(PYDIR) $(DATADIR)/examples \
	$(SYSCONFDIR)/armd)
	install -m 755 $(BINS) $(DESTDIR)$(BINDIR)
	cp -r config/arms config/weights config/samples config/*.yaml $(DESTDIR)$(DATADIR)
	for page in $(MANPAGES); do \
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man$${page##*.} $$page || exit 1; done
	for unit in $(UNITS); do sed -e 's|/usr/local/share/armd|$(DATADIR)|g' \
	-e 's|/usr/local/bin|$(BINDIR)|g' -e 's|/etc/armd|$(SYSCONFDIR)/armd|g' $$unit \
	>$(DESTDIR)$(UNITDIR)/$${unit##*/} || exit 1; done
	[ ! -d $(BUILD)/web ] || cp -r $(BUILD)/web $(DESTDIR)$(DATADIR)
	@[ -d $(BUILD)/web ] || echo "armweb has no page yet: make web, then make install"
	install -m 644 systemd/armd.sysusers $(DESTDIR)$(SYSUSERDIR)/armd.conf
	install -m 644 systemd/armd.tmpfiles $(DESTDIR)$(TMPFILEDIR)/armd.conf
	install -m 644 systemd/70-armd.rules $(DESTDIR)$(UDEVDIR)
	install -m 644 systemd/armd.catalog $(DESTDIR)$(CATALOGDIR)
	install -m 644 systemd/armctl.bash $(DESTDIR)$(BASHDIR)/armctl
	install -m 644 daemon/armd.py $(DESTDIR)$(PYDIR)
	install -m 755 daemon/circle.py $(DESTDIR)$(DATADIR)/examples
	[ -e $(DESTDIR)$(SYSCONFDIR)/armd/armd.yaml ] || \
	sed $(INSTALLED) config/sim.yaml >$(DESTDIR)$(SYSCONFDIR)/armd/armd.yaml

# A Debian package; the sources go to a folder of their own, for debhelper leaves traces.
DEB := $(BUILD)/deb/armd-$(VERSION)
deb: deps-deb ## a Debian package of this tree into $(BUILD)/deb, and what lintian says of it
	@rm -rf $(BUILD)/deb && mkdir -p $(DEB)
	@cp -r pcm snn robot daemon tests config systemd Makefile README.md LICENSE $(DEB)
	@cp -r systemd/debian $(DEB)/debian
	@[ ! -d $(BUILD)/web ] || { mkdir -p $(DEB)/build && cp -r $(BUILD)/web $(DEB)/build; }
	@printf 'armd (%s) unstable; urgency=medium\n\n  * As in the sources.\n\n -- %s  %s\n' \
	$(VERSION) "$$(sed -n 's/^Maintainer: //p' systemd/debian/control)" "$$(date -R -d @$${SOURCE_DATE_EPOCH:-$$(stat -c %Y Makefile)})" \
	>$(DEB)/debian/changelog
	@cd $(DEB) && dpkg-buildpackage -b -uc -us >../build.log 2>&1 || { tail -20 ../build.log; exit 1; }
	@lintian --fail-on error $(BUILD)/deb/*.changes
	@ls $(BUILD)/deb/*.deb

clean: ## remove what was built
	rm -rf build

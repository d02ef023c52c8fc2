/* What `make install` puts where, looked at by the tools that will read it.  A tool that is
 * not on this machine is named and passed over. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support_rig.h"

enum { OUTPUT_LEN = 1 << 16, COMMAND_LEN = 1024 };

static char root[64]; /* both PREFIX and, with /etc, the configuration */

/* Exit status of a shell command; what it wrote goes to `output`. */
static int shell(char *output, const char *format, ...)
{
    char command[COMMAND_LEN];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return rig_shell(output, OUTPUT_LEN, command);
}

static bool has_tool(const char *name)
{
    char unused[OUTPUT_LEN];
    bool is_there = shell(unused, "command -v %s", name) == 0;
    if (!is_there)
        printf("install: %s is not here, passed over\n", name);
    return is_there;
}

static void install(void)
{
    char output[OUTPUT_LEN];
    const char *build = getenv("ARMD_BUILD");
    strcpy(root, "/tmp/armd-install-XXXXXX");
    cr_assert(mkdtemp(root) != NULL);
    unsetenv("MAKEFLAGS");
    int rc = shell(output, "make install BUILD=%s PREFIX=%s SYSCONFDIR=%s/etc 2>&1",
                   build ? build : "build", root, root);
    cr_assert(rc == 0, "make install: %s", output);
}

static void uninstall(void)
{
    char unused[OUTPUT_LEN];
    shell(unused, "rm -rf %s", root);
}

TestSuite(scenario_install, .init = install, .fini = uninstall);

/* Exposure of an installed unit as systemd-analyze has it, 0 (none) to 10. */
static double exposure(const char *unit)
{
    char output[OUTPUT_LEN];
    double level = 10.0;
    shell(output, "systemd-analyze security --offline=yes %s/lib/systemd/system/%s 2>&1",
          root, unit);
    const char *line = strstr(output, "exposure level for ");
    const char *colon = line ? strchr(line, ':') : NULL;
    cr_assert(colon && sscanf(colon + 1, "%lf", &level) == 1, "%s", output);
    return level;
}

Test(scenario_install, systemd_finds_nothing_to_say_about_the_units)
{
    static const char *const units[] = {"armd.service", "armguard.service",
                                        "armsim@scorbot.service", "armweb.service"};
    char output[OUTPUT_LEN];
    if (!has_tool("systemd-analyze"))
        return;
    for (size_t k = 0; k < sizeof(units) / sizeof(units[0]); k++) {
        int rc = shell(output,
                       "MANPATH=%s/share/man: systemd-analyze verify "
                       "%s/lib/systemd/system/%s 2>&1",
                       root, root, units[k]);
        cr_expect(rc == 0 && !*output, "%s: %s", units[k], output);
    }
}

Test(scenario_install, armd_with_a_serial_arm_is_exposed_by_at_most_1_7)
{
    if (!has_tool("systemd-analyze"))
        return;
    cr_expect(exposure("armd.service") <= 1.7);
}

Test(scenario_install, the_page_is_exposed_by_its_port_and_little_else)
{
    if (!has_tool("systemd-analyze"))
        return;
    cr_expect(exposure("armweb.service") <= 1.3);
}

Test(scenario_install, users_folders_and_rules_are_taken)
{
    char output[OUTPUT_LEN];
    if (has_tool("systemd-sysusers") && has_tool("systemd-tmpfiles")) {
        int rc = shell(output,
                       "systemd-sysusers --root=%s %s/lib/sysusers.d/armd.conf 2>&1 && "
                       "systemd-tmpfiles --root=%s --create %s/lib/tmpfiles.d/armd.conf "
                       "2>&1 && grep ^armd: %s/etc/passwd && "
                       "grep '^dialout:.*:armd' %s/etc/group && test -d %s/var/lib/armd",
                       root, root, root, root, root, root, root);
        cr_expect(rc == 0, "%s", output);
    }
    if (!has_tool("udevadm"))
        return;
    if (shell(output, "udevadm verify --help 2>&1") == 0)
        cr_expect(shell(output, "udevadm verify %s/lib/udev/rules.d/70-armd.rules 2>&1",
                        root) == 0,
                  "%s", output);
    else
        puts("install: udevadm is older than its verify, passed over");
}

Test(scenario_install, installed_configurations_are_right)
{
    char output[OUTPUT_LEN];
    int rc = shell(output,
                   "for c in %s/etc/armd/armd.yaml %s/share/armd/*.yaml; do "
                   "%s/bin/armd -c $c --check >/dev/null || exit 1; done 2>&1",
                   root, root, root);
    cr_expect(rc == 0, "%s", output);
}

Test(scenario_install, manuals_are_clean_and_every_program_has_one)
{
    char output[OUTPUT_LEN];
    int rc = shell(output,
                   "cd %s && for p in bin/*; do ls share/man/man?/${p#bin/}.? || exit 1; "
                   "done 2>&1",
                   root);
    cr_expect(rc == 0, "%s", output);
    if (has_tool("mandoc"))
        cr_expect(shell(output, "mandoc -T lint -W warning %s/share/man/man?/* 2>&1",
                        root) == 0,
                  "%s", output);
}

/* What bash offers for the last of these words, a line each. */
static void complete(char *output, const char *words)
{
    shell(output,
          "PATH=%s/bin:$PATH bash -c '. %s/share/bash-completion/completions/armctl && "
          "COMP_WORDS=(armctl %s) && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && _armctl && "
          "printf \"%%s\\n\" \"${COMPREPLY[@]}\"' 2>&1",
          root, root, words);
}

Test(scenario_install, bash_completes_verbs_options_and_words)
{
    char output[OUTPUT_LEN], usage[OUTPUT_LEN];
    if (!has_tool("bash"))
        return;
    complete(output, "--json te");
    cr_expect_str_eq(output, "teach\n");
    complete(output, "run wave --fr");
    cr_expect_str_eq(output, "--from\n");
    complete(output, "run wave --from c");
    cr_expect_str_eq(output, "current\n");
    complete(output, "limp o");
    cr_expect_str_eq(output, "on\noff\n");
    complete(output, "\"\"");
    cr_assert(strstr(output, "status\n"));
    shell(usage, "%s/bin/armctl --help", root);
    for (char *rest = output, *verb; (verb = strsep(&rest, "\n"));)
        cr_expect(strstr(usage, verb), "armctl knows no '%s'", verb);
}

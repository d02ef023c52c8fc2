/* test_robot_link.c - bytes through a pseudo-terminal, and what is said of a bad port. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "robot/link.h"

static int master = -1;
static char port[64], err[256];
static struct link *l;

static void start(void)
{
    int slave;
    cr_assert(openpty(&master, &slave, port, NULL, NULL) == 0);
    close(slave);
}

static void stop(void)
{
    link_close(l);
    if (master >= 0)
        close(master);
}

static void open_link(void)
{
    l = link_open(port, 1000000, err, sizeof(err));
    cr_assert(ne(ptr, l, NULL), "%s", err);
}

static void expect_refusal(const char *path, int code, const char *text)
{
    errno = 0;
    cr_expect(eq(ptr, link_open(path, 1000000, err, sizeof(err)), NULL), "%s", path);
    cr_expect(eq(int, errno, code), "%s", path);
    cr_expect(ne(ptr, strstr(err, text), NULL), "\"%s\" lacks \"%s\"", err, text);
}

/* Exactly n bytes from the far side. */
static void drain(uint8_t *out, int n)
{
    struct pollfd fd = {.fd = master, .events = POLLIN};
    for (int got = 0; got < n;) {
        cr_assert(poll(&fd, 1, 10000) == 1);
        const ssize_t more = read(master, out + got, (size_t)(n - got));
        cr_assert(more > 0);
        got += (int)more;
    }
}

TestSuite(robot_link, .init = start, .fini = stop, .timeout = 60);

Test(robot_link, every_byte_value_passes_unchanged_both_ways)
{
    uint8_t bytes[256], back[256] = {0};
    open_link();
    for (int k = 0; k < 256; k++)
        bytes[k] = (uint8_t)k;
    cr_assert(eq(int, link_write(l, bytes, 256), 0));
    drain(back, 256);
    cr_expect(memcmp(bytes, back, 256) == 0);

    memset(back, 0, sizeof(back));
    cr_assert(write(master, bytes, 256) == 256);
    for (int got = 0; got < 256;) {
        cr_assert(eq(int, link_wait(l, 10000000), 1));
        const int n = link_read(l, back + got, 256 - got);
        cr_assert(gt(int, n, 0));
        got += n;
    }
    cr_expect(memcmp(bytes, back, 256) == 0);
}

Test(robot_link, reading_an_idle_link_returns_at_once_with_nothing)
{
    uint8_t byte;
    open_link();
    cr_expect(eq(int, link_read(l, &byte, 1), 0));
    cr_expect(eq(int, link_wait(l, 0), 0));
}

Test(robot_link, a_full_line_refuses_a_frame_instead_of_blocking)
{
    static const uint8_t frame[100] = {0};
    int rc = 0;
    open_link();
    for (int k = 0; k < 100000 && rc == 0; k++)
        rc = link_write(l, frame, sizeof(frame));
    cr_expect(eq(int, rc, -EAGAIN));
}

Test(robot_link, flushing_forgets_what_has_arrived)
{
    uint8_t byte;
    open_link();
    cr_assert(write(master, "abc", 3) == 3);
    cr_assert(eq(int, link_wait(l, 10000000), 1));
    link_flush_input(l);
    cr_assert(write(master, "d", 1) == 1);
    cr_assert(eq(int, link_wait(l, 10000000), 1));
    cr_expect(eq(int, link_read(l, &byte, 1), 1));
    cr_expect(eq(int, byte, 'd'));
}

Test(robot_link, a_closed_far_side_is_a_lost_link)
{
    uint8_t byte = 0;
    open_link();
    close(master);
    master = -1;
    cr_expect(ne(int, link_wait(l, 10000000), 0));
    cr_expect(eq(int, link_read(l, &byte, 1), -EIO));
    cr_expect(eq(int, link_write(l, &byte, 1), -EIO));
}

Test(robot_link, a_symlink_leads_to_its_port)
{
    char dir[] = "/tmp/test_link_XXXXXX", path[64];
    cr_assert(ne(ptr, mkdtemp(dir), NULL));
    snprintf(path, sizeof(path), "%s/arm0", dir);
    cr_assert(symlink(port, path) == 0);
    l = link_open(path, 1000000, err, sizeof(err));
    cr_expect(ne(ptr, l, NULL), "%s", err);
    unlink(path);
    rmdir(dir);
}

Test(robot_link, a_port_that_is_not_there_is_told_from_one_that_is_no_port)
{
    expect_refusal("/dev/ttyNONE7", ENOENT, "/dev/ttyNONE7: no such port");
    expect_refusal("/dev/null", ENOTTY, "/dev/null: not a serial port");
    expect_refusal("/", EISDIR, "/: ");
}

Test(robot_link, a_second_user_of_a_port_is_turned_away)
{
    open_link();
    expect_refusal(port, EBUSY, "in use by another program");
    link_close(l);
    open_link();
}

/* root may open anything: this child gives that up. */
Test(robot_link, a_forbidden_port_points_to_the_group)
{
    cr_assert(chmod(port, 0) == 0);
    if (geteuid() == 0)
        cr_assert(seteuid(65534) == 0);
    expect_refusal(port, EACCES, "permission denied (is the user in the group dialout?)");
}

Test(robot_link, a_port_without_an_adapter_holds_nothing_back)
{
    cr_expect(eq(int, link_latency_ms(port), 0));
    cr_expect(eq(int, link_latency_ms("/dev/ttyNONE7"), 0));
}

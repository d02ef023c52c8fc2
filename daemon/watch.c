/* watch.c - see watch.h. */
#include "daemon/watch.h"

static const int64_t RETRY_ns = 300000000;

int watch_ready(struct watch *w, char *err, size_t err_len)
{
    return w->guard ? guard_connect(w->guard, err, err_len) : 0;
}

static int hand_over(struct watch *w, char *err, size_t err_len)
{
    return guard_watch(w->guard, w->port_fd, w->stop, w->n_stop, err, err_len);
}

int watch_bus(struct watch *w, const struct bus *bus, char *err, size_t err_len)
{
    if (!w->guard)
        return 0;
    w->port_fd = bus_fd(bus);
    w->n_stop = bus_stop_frames(bus, w->stop, sizeof(w->stop));
    w->has_bus = true;
    return hand_over(w, err, err_len);
}

void watch_leave(struct watch *w)
{
    if (w->guard)
        guard_leave(w->guard);
    w->has_bus = false;
}

void watch_check(struct watch *w, int64_t now_ns)
{
    char unused[256];
    if (!w->guard || !w->has_bus || guard_check(w->guard) || now_ns < w->retry_ns)
        return;
    w->retry_ns = now_ns + RETRY_ns;
    hand_over(w, unused, sizeof(unused));
}

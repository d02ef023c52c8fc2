/* bus_impl.h - private to bus.c (cycle), bus_open.c (handshake, slow calls), bus_request.c (one
 * servo asked) and the protocols behind them, bus_dxl*.c and bus_sts*.c. */
#ifndef ROBOT_BUS_IMPL_H
#define ROBOT_BUS_IMPL_H

#include "robot/bus.h"
#include "robot/bus_stream.h"
#include "robot/dxl.h"
#include "robot/link.h"
#include "robot/sts.h"

enum { BUS_SEND_CAP = 384, BUS_REPLY_MAX = 96 };

/* An answer from the line, whatever the protocol. */
struct bus_answer {
    uint8_t id, error; /* error: byte of the status packet, as the protocol has it */
    int n;
    const uint8_t *params;
};

/* A protocol.  b is the bus, k a servo's index; put_... write bytes to out[cap] and return how
 * many.  What is not marked slow neither blocks nor allocates. */
struct bus_ops {
    /* Takes bytes and moves *bytes and *n on; true with an answer (valid until the next
     * call), false when all bytes are taken. */
    bool (*parse)(struct bus *b, const uint8_t **bytes, int *n, struct bus_answer *out);
    void (*forget)(struct bus *b); /* a frame that is not complete */
    uint64_t (*bad_frames)(const struct bus *b);

    /* The cycle: an answer of servo k into the sample, true when it is one of the set that
     * was asked for; goals of the mode; the request of the next set. */
    bool (*take)(struct bus *b, int k, const struct bus_answer *a);
    int (*put_goals)(struct bus *b, int64_t now_ns, const float *want, uint8_t *out,
                     int cap);
    int (*put_request)(struct bus *b, uint8_t *out, int cap);
    int (*put_stop)(const struct bus *b, uint8_t *out, int cap);

    /* Requests to one servo. */
    int (*put_ping)(uint8_t id, uint8_t *out, int cap);
    int (*put_reboot)(uint8_t id, uint8_t *out, int cap);
    int (*put_read)(uint8_t id, int addr, int n, uint8_t *out, int cap);
    int (*put_write)(uint8_t id, int addr, const uint8_t *data, int n, uint8_t *out,
                     int cap);
    bool (*is_refused)(uint8_t error);
    int n_ping, n_around; /* params of a ping's answer; bytes of a frame around params */

    /* Slow.  0 or -errno with a sentence in err. */
    int (*check)(const struct bus_params *p, char *err, size_t err_len);
    int (*prepare)(struct bus *b, int k, char *err, size_t err_len);
    void (*learn)(struct bus *b); /* all are prepared: what they can do together */
    int (*start_mode)(struct bus *b, int k, char *err, size_t err_len);
    bool (*has_mode)(const struct bus *b, int k, enum bus_mode mode);
    int (*revive)(struct bus *b, int k); /* a servo that has shut itself down */
    int (*halt)(struct bus *b, int k);   /* confirmed */
};
extern const struct bus_ops bus_dxl_ops, bus_sts_ops;

struct bus_dxl {
    struct dxl_parser parser;
    uint8_t watchdog; /* for register 98 */
    double load_unit[ARM_MAX_JOINTS];
    double current_A[ARM_MAX_JOINTS];    /* of a step of register 126; 0: it is a load */
    bool has_current[ARM_MAX_JOINTS];    /* the servo can be sent a current */
    int32_t v_limit_raw[ARM_MAX_JOINTS]; /* beyond it a servo ignores the goal */
    double carry_rad_s[ARM_MAX_JOINTS];  /* asked for, and not yet sent */
    int packed_at[ARM_MAX_JOINTS]; /* where the servo's packed block is; 0: nowhere */
    int packed;                    /* where that of all is; 0: it is not read */
    int fast_len;                  /* of each servo, in the fast reply that is awaited */
    uint32_t alert, ask_full; /* bit k: reports a fault; is to be read in FULL soon */
    int slow_in, slow_reads;  /* cycles until the next SLOW read; how many there were */
    bool has_fast;            /* all servos answered a fast sync read */
    bool was_fast;            /* so was the last request */
    int fast_misses, fast_in; /* in a row; cycles until it is tried again */
    struct dxl_packet fast;   /* what is left of a fast reply */
};

struct bus_sts {
    struct sts_parser parser;
    double speed_rad_s[ARM_MAX_JOINTS]; /* of one step of register 46 */
    double carry_rad_s[ARM_MAX_JOINTS]; /* wheel: asked for, and not yet sent */
    int status_in;                      /* cycles until torque is asked for */
};

struct bus {
    struct bus_params p;
    const struct bus_ops *ops;
    struct link *link;
    struct bus_sample sample;
    struct bus_counters counters;
    int latency_us;               /* of the adapter */
    int firmware[ARM_MAX_JOINTS]; /* Feetech: 100 major + minor */
    enum bus_mode mode;
    bool is_lost, is_waiting;  /* link gone; a request is out */
    bool is_aside;             /* what is asked for this time is no pose */
    bool is_torque_on;         /* as asked for */
    bool had_gap;              /* no pose yet, or none for half the watchdog's time */
    bool must_rearm;           /* a servo may refuse goals: say what makes it listen */
    int64_t sent_ns, heard_ns; /* the last request; the last complete set of replies */
    uint32_t seen; /* bit k: servo k is in the set of replies being collected */
    int last;      /* its latest servo, -1 at its start */
    struct bus_stream stream; /* of servos that are sent positions */
    union {
        struct bus_dxl dxl;
        struct bus_sts sts;
    };
};

/* Forgets replies that are on their way. */
void bus_forget_replies(struct bus *b);

/* A sentence into err; returns rc. */
int bus_say(char *err, size_t err_len, int rc, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What follows is slow.  0, -ETIMEDOUT: no answer, -EPROTO: refused, -EIO: link lost.  Seven
 * tries with a slack of 4, 8 .. 256 ms: a silent servo costs half a second. */
enum { BUS_TRIES = 7 };
int64_t bus_now_us(void); /* CLOCK_MONOTONIC */
int bus_ping(struct bus *b, int k, int tries);
bool bus_is_there(struct bus *b, int k); /* one short try */
int bus_read(struct bus *b, int k, int addr, int n, uint8_t *out);
int bus_ask(struct bus *b, int k, const uint8_t *frame, int n_frame, int n_reply);
int bus_write(struct bus *b, int k, int addr, int n, uint32_t value, int tries);
int bus_reboot(struct bus *b, int k); /* and waits until it answers */

/* One register and its value, in the order of writing. */
struct bus_step {
    int addr, n;
    uint32_t value;
};
int bus_run_steps(struct bus *b, int k, const struct bus_step *steps, int n, char *err,
                  size_t err_len);

#endif

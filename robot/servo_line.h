/* servo_line.h - the half-duplex wire that a chain of emulated servos shares.
 *
 * Frames go out one after another, each due after its silence and its own bytes have passed
 * at the rate of its sender; what spoils them on the way (loss, flipped bits, lateness,
 * doubling) is drawn from one seeded stream.  The wire does not know what the bytes mean.
 */
#ifndef ROBOT_SERVO_LINE_H
#define ROBOT_SERVO_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE_TX_LEN = 16384, LINE_MAX_FRAMES = 64 };

/* What happens to the replies of one servo. */
struct servo_faults {
    double drop, corrupt, duplicate; /* probabilities */
    int64_t delay_ns; /* held back on the way, which stays free meanwhile */
    bool is_silent;   /* hears and obeys, does not answer */
    int answer_id;    /* says this id instead of its own; -1 its own */
};

struct servo_frame {
    int64_t due_ns;
    int at, len; /* in tx */
};

struct servo_line {
    uint64_t random;
    bool is_instant;  /* lock-step: bytes take no time, only a delay fault does */
    int64_t quiet_ns; /* when the line falls silent */
    uint8_t tx[LINE_TX_LEN];
    struct servo_frame frame[LINE_MAX_FRAMES];
    int n, sent; /* frames; bytes of the first one that are out */
};

void servo_line_init(struct servo_line *line, uint64_t seed, bool is_instant);

/* Bytes from the host fill the line from now_ns on, or from when it falls silent. */
void servo_line_occupy(struct servo_line *line, int64_t now_ns, int bytes, int baud_Bd);

/* A frame after silence_ns; a lost one leaves a gap of its length. */
void servo_line_put(struct servo_line *line, int64_t silence_ns, int baud_Bd,
                    const struct servo_faults *faults, const uint8_t *bytes, int len);

/* What an adapter that hears itself gives back to the host. */
void servo_line_echo(struct servo_line *line, int64_t now_ns, const uint8_t *bytes,
                     int len);

/* When the next frame is due, or INT64_MAX. */
int64_t servo_line_due_ns(const struct servo_line *line);

/* Takes the bytes that have passed by t_ns; returns how many, at most cap. */
size_t servo_line_take(struct servo_line *line, int64_t t_ns, uint8_t *out, size_t cap);

/* Everything that is not out yet is gone. */
void servo_line_clear(struct servo_line *line);

#endif

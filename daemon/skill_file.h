/* skill_file.h - one skill in one safetensors file.
 *
 * Tensors: the target ("path.q_rad", "path.omega_rad_s", "path.tip_m", "q_start_rad"), the
 * segments ("segments.steps", ".core", ".core_writes", ".carry", and with ideal weights
 * "segmentK.w"), and "quality" (updates + 1, 3): tip RMSE in mm, velocity RMSE in rad/s,
 * cells written.  Metadata: format armd-skill-1, name, what it was measured on, dates, a
 * checksum.  The target is enough to learn it again; the rest spares that.
 *
 * A file that is missing, truncated, altered, of another format or not sound is refused
 * with one sentence in err (its name and the reason).  All calls are slow.
 */
#ifndef DAEMON_SKILL_FILE_H
#define DAEMON_SKILL_FILE_H

#include "daemon/skill.h"

/* What a skill was measured on. */
struct skill_origin {
    char arm[ARM_NAME_LEN]; /* model */
    uint64_t weights;       /* fingerprint of the network */
    bool is_pcm;
};
struct skill_origin skill_origin_of(const struct network *net, const char *arm,
                                    bool is_pcm);
bool skill_origin_is_same(const struct skill_origin *a, const struct skill_origin *b);

/* Replaces path atomically; on disk when it returns 0.  -errno. */
int skill_file_save(const struct skill *s, const struct skill_origin *origin,
                    const char *path, char *err, size_t err_len);

/* A skill without synapses, and where it comes from.  Joints and tick are those of net;
 * weights of another origin are not read.  NULL with a sentence in err. */
struct skill *skill_file_load(const char *path, const struct network *net,
                              const struct skill_origin *own, struct skill_origin *origin,
                              char *err, size_t err_len);

#endif

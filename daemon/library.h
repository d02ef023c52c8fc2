/* library.h - skills on the cores of the chip and in the files of state_dir.
 *
 * Cores are handed out here, the lowest free one first; a core that is used again is
 * programmed again on the same devices.  A skill is kept as one file and one for each of
 * its cores.  Its own names how often each core had been written: a core with another
 * count holds something else.  The order of writing makes every crash harmless:
 *
 *     learn    cores, then the skill's file, then files of skills that were given up go
 *     forget   the skill's file goes, then its cores are free
 *
 * so that after a crash a skill finds its cells as they were, or is learned again from the
 * target in its file.  A skill is there when its file is.  What reads alone change
 * (counters, compensation, last time seen) is saved with the next change and at the end.
 *
 * Everything is slow and belongs to the learner thread; struct skill belongs to whoever
 * holds the store (the service), which gives up what a finished task says.
 */
#ifndef DAEMON_LIBRARY_H
#define DAEMON_LIBRARY_H

#include <stdio.h>

#include "daemon/chip_report.h"
#include "daemon/teacher.h"

struct library_params {
    int n_cores; /* of the chip */
    bool is_pcm;
    double v_max_rad_s[ARM_MAX_JOINTS]; /* what an imported path may ask for */
    const char *state_dir;              /* "": skills live in memory */
};

struct library;
/* Owns the teacher from then on, also on failure.  NULL with a sentence in err. */
struct library *library_create(const struct library_params *p, struct teacher *t,
                               char *err, size_t err_len);
void library_destroy(struct library *l); /* NULL is fine; saves nothing */
struct teacher *library_teacher(struct library *l);

/* At start: cores and skills from the files.  Cells that are not the skill's any more, or
 * were learned with other weights, are learned again (is_relearned).  What cannot be used
 * is left where it is with a sentence on `say`, a bad core file as FILE.refused.  Returns
 * the time of the devices: unix_s, or later when the clock ran backwards, so that no
 * device gets younger. */
double library_restore(struct library *l, double unix_s, struct skill_store *out,
                       FILE *say);

/* What is asked for and what comes of it. */
struct library_task {
    char name[SKILL_NAME_LEN];
    bool is_replacing; /* a skill, or a file, of this name may go */
    int updates;       /* 0: as configured */
    double t_s;        /* device time */
    int n_skills;      /* all there are, the least recently used first */
    struct skill *skills[SKILLS_MAX];
    bool is_given_up[SKILLS_MAX]; /* out: to be destroyed by their owner */
    const char *code;             /* out, when it failed: "exists", "bad_path", ... */
    char err[512];                /* and a sentence */
};

/* Learns path (taken over) and keeps it.  When cores run out skills are given up in their
 * order, the one that is replaced first.  NULL with code and err: then skills whose cores
 * had been taken are learned again. */
struct skill *library_learn(struct library *l, struct library_task *task,
                            struct trajectory_path *path, const double *q_start_rad);

/* Learns the target in a skill file anew, on the devices and with the weights that are
 * here; an arm of another name or shape is refused.  task->name "": the name in the file. */
struct skill *library_import(struct library *l, struct library_task *task,
                             const char *path);

/* The file of a skill to a path outside state_dir where nothing is yet.  0 or -errno. */
int library_export(struct library *l, const struct skill *s, const char *path, char *err,
                   size_t err_len);

/* It is destroyed, with its file; -errno with a sentence: it stays. */
int library_forget(struct library *l, struct skill *s, char *err, size_t err_len);

/* A crash meanwhile leaves it under both names, never under none.  -errno with a sentence:
 * it keeps its name. */
int library_rename(struct library *l, struct skill *s, const char *name, char *err,
                   size_t err_len);

/* teacher_prepare; a skill that was learned again is kept (err: a sentence when it could
 * not be).  Negative: its cores are free, its file stays for the next start. */
double library_prepare(struct library *l, struct skill *s, double t_s, bool is_rehearsed,
                       bool *is_healed, char *err, size_t err_len);

/* At the end: everything that changed.  0 or -errno with the first sentence. */
int library_keep_all(struct library *l, struct skill *const *skills, int n, char *err,
                     size_t err_len);

void library_report(struct library *l, double t_s, bool has_cells, struct chip_report *r);

#endif

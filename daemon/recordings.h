/* recordings.h - joint paths of many showings, or of many pen drawings.  Slow. */
#ifndef DAEMON_RECORDINGS_H
#define DAEMON_RECORDINGS_H

#include "daemon/drawing.h"

struct recordings {
    int n;
    struct trajectory_path **paths;
};
void recordings_destroy(struct recordings *r); /* NULL is fine */

/* Showings from CSV files.  NULL with a sentence in err. */
struct recordings *recordings_of_showings(const char *const *files, int n,
                                          struct arm *arm,
                                          const struct trajectory_limits *limits,
                                          char *err, size_t err_len);

/* The drawings of a file: so many of them, evenly spread, or all (0).  a_max as in
 * drawing_plan.  Where `folder` is not NULL each path is also written there as a showing,
 * FOLDER/NAME.csv with '/' as '_'.  NULL with a sentence in err. */
struct recordings *recordings_of_drawings(const char *file, int drawings,
                                          const struct drawing_place *place,
                                          struct arm *arm,
                                          const struct trajectory_limits *limits,
                                          const double *a_max_rad_s2, const char *folder,
                                          char *err, size_t err_len);

#endif

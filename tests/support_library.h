/* support_library.h - armd's learner with its skills and files, without the programs. */
#ifndef TESTS_SUPPORT_LIBRARY_H
#define TESTS_SUPPORT_LIBRARY_H

#include "daemon/library.h"

enum { LIB_CORES = 3 };

extern struct lib_fixture {
    struct network *net;
    struct library *library;
    struct skill_store store;
    char folder[64]; /* state_dir */
    char said[8192]; /* by the last start, or why the last teaching was refused */
    double now_s;
    enum readout_rule readout; /* of the library that is opened next */
} lib;

/* .init and .fini of a suite: a library in a new folder. */
void lib_setup(void);
void lib_teardown(void);

/* As it comes up at that time; without a word, as kill -9 does it; both, 100 s later. */
double lib_open(double unix_s, bool is_pcm);
void lib_drop(void);
void lib_restart(void);

/* A task at the next moment, and what the service does with a finished one. */
struct library_task lib_task_of(const char *name);
struct skill *lib_finish(struct library_task *task, struct skill *s);

/* A skill of so many segments of 2.5 s; NULL: refused. */
struct skill *lib_teach(const char *name, int segments, bool is_replacing);

struct pcm_core_view lib_core_view(int i); /* fails the test when it was never used */
void lib_expect_said(const char *needle);

/* Files of the folder; bytes are released with free(). */
char *lib_bytes_of(const char *file, size_t *len);
void lib_write_bytes(const char *file, const char *bytes, size_t len);
bool lib_has_file(const char *file);

#endif

/* store.h - the folder state_dir: where the files of skills and cores lie.
 *
 *     STATE_DIR/skills/NAME.safetensors     see skill_file.h
 *     STATE_DIR/chip/coreNN.safetensors     see snn/chip_file.h
 *
 * One armd at a time has it (a lock that ends with the process).  What a crash left half
 * written is removed when it is opened.  Belongs to one thread; all calls are slow.
 */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include <limits.h> /* PATH_MAX */

#include "daemon/skill.h"

struct store;

/* Makes the folders that are missing (not those above).  NULL with a sentence in err:
 * missing, not a folder, read-only, somebody else's, in use. */
struct store *store_open(const char *folder, char *err, size_t err_len);
void store_close(struct store *s); /* NULL is fine */

const char *store_folder(const struct store *s);
void store_skill_path(const struct store *s, const char *name, char path[PATH_MAX]);
void store_core_path(const struct store *s, int core, char path[PATH_MAX]);
bool store_has(const char *path);

/* Names of the skills, sorted; released with free().  How many, or -errno. */
int store_list_skills(const struct store *s, char (**names)[SKILL_NAME_LEN]);

/* Gone for good when it returns 0 (also when it was not there); -errno with a sentence. */
int store_remove(const char *path, char *err, size_t err_len);

/* Out of the way as PATH.refused, for people to look at. */
void store_set_aside(const char *path);

#endif

/* config_impl.h - the table of keys, for the parts of the configuration: config.c (reading),
 * config_print.c (explaining), config_reload.c (reading again); for them alone. */
#ifndef DAEMON_CONFIG_IMPL_H
#define DAEMON_CONFIG_IMPL_H

#include "daemon/config.h"
#include "daemon/config_yaml.h"

/* Row k of the table, of the keys of a joint; name of section k; NULL after the last. */
const struct field *config_field(int k);
const struct field *config_joint_field(int k);
const char *config_section(int k);

/* The name of the key inside `section`, or NULL when it belongs elsewhere. */
const char *config_leaf(const char *key, const char *section);

/* May this key change while armd runs? */
bool config_is_live(const char *key);

void config_print_joints(const struct config *cfg, FILE *out);

#endif

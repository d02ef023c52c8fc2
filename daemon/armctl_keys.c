/* armctl_keys.c - keys for tcp endpoints: made by the verb keygen, shown to armd. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/armctl.h"
#include "daemon/curve.h"

enum { PATH_LEN = 512, ERR_LEN = 1200 };

/* Where a user's keys are, unless said otherwise. */
static void home_folder(char *path)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && *config)
        snprintf(path, PATH_LEN, "%s/armd", config);
    else
        snprintf(path, PATH_LEN, "%s/.config/armd", home ? home : "");
}

static void place(char *path, const char *given, const char *file)
{
    char folder[PATH_LEN];
    home_folder(folder);
    if (given)
        snprintf(path, PATH_LEN, "%s", given);
    else
        snprintf(path, PATH_LEN, "%.480s/%s", folder, file);
}

const char *client_name(void)
{
    static char name[64]; /* as long as armd takes */
    char host[64] = "";
    const char *given = getenv("ARMCTL_CLIENT");
    const struct passwd *user = getpwuid(geteuid());
    if (given) {
        snprintf(name, sizeof(name), "%s", given);
        return name;
    }
    gethostname(host, sizeof(host) - 1);
    snprintf(name, sizeof(name), "%.31s@%.31s", user ? user->pw_name : "?", host);
    return name;
}

int client_secure(const struct client *c, void *sock, const char *endpoint)
{
    char key[PATH_LEN], server[PATH_LEN], err[ERR_LEN];
    if (!curve_is_needed(endpoint))
        return STATUS_OK;
    place(key, c->key, "curve.cert_secret");
    place(server, c->server, "armd.cert");
    if (curve_join(sock, key, server, err, sizeof(err)) == 0)
        return STATUS_OK;
    return armctl_fail(STATUS_NO_INPUT, "%s (tcp:// needs --key and --server)", err);
}

int armctl_keygen(const char *folder)
{
    char home[PATH_LEN], path[PATH_LEN + 16], err[ERR_LEN];
    home_folder(home);
    if (snprintf(path, sizeof(path), "%s/curve.cert", folder ? folder : home) >=
        (int)sizeof(path))
        return armctl_fail(STATUS_USAGE, "the folder's name is too long");
    int rc = curve_make(path, client_name(), err, sizeof(err));
    if (rc)
        return armctl_fail(rc == -EEXIST ? STATUS_REFUSED : STATUS_IO, "%s", err);
    printf(
        "%s         public: for the other side (armd: control.allow; client: --server)\n"
        "%s_secret  secret: stays here (armd: control.certificate; client: --key)\n",
        path, path);
    return STATUS_OK;
}

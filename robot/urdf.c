/* urdf.c - see urdf.h. */
#include "robot/urdf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_B = 16 << 20 };
static const char wish[] = "<mujoco><compiler fusestatic=\"false\"/></mujoco>";

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = f ? calloc(1, FILE_MAX_B + 1) : NULL;
    if (text && (fread(text, 1, FILE_MAX_B, f) == 0 || !feof(f))) {
        free(text);
        text = NULL;
    }
    if (f)
        fclose(f);
    return text;
}

/* Where the content of the element robot begins; NULL when there is none. */
static const char *find_content(const char *text)
{
    const char *robot = strstr(text, "<robot");
    const char *end = robot ? strchr(robot, '>') : NULL;
    return end && end[-1] != '/' ? end + 1 : NULL;
}

mjVFS *urdf_prepare(const char *path)
{
    char *text = read_file(path);
    const char *content = text ? find_content(text) : NULL;
    mjVFS *vfs = NULL;
    if (content && !strstr(text, "<mujoco"))
        vfs = malloc(sizeof(*vfs));
    if (vfs) {
        const size_t n = strlen(text), head = (size_t)(content - text);
        const size_t more = sizeof(wish) - 1;
        mj_defaultVFS(vfs);
        mj_makeEmptyFileVFS(vfs, path, (int)(n + more));
        const int k = mj_findFileVFS(vfs, path);
        if (k >= 0) {
            char *out = vfs->filedata[k];
            memcpy(out, text, head);
            memcpy(out + head, wish, more);
            memcpy(out + head + more, content, n - head);
        }
    }
    free(text);
    return vfs;
}

void urdf_release(mjVFS *vfs)
{
    if (vfs)
        mj_deleteVFS(vfs);
    free(vfs);
}

/* support_run.c - programs that run to their end, and what they leave; see support_rig.h. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support_rig.h"

int rig_run(char *err, size_t len, const char *program, ...)
{
    char *argv[24], path[256], file[] = "/tmp/armd-err-XXXXXX";
    int n = 0, status;
    va_list args;
    snprintf(path, sizeof(path), "%s", rig_program(program));
    argv[n++] = path;
    va_start(args, program);
    while (n < 23 && (argv[n] = va_arg(args, char *)))
        n++;
    argv[n] = NULL;
    va_end(args);
    int fd = mkstemp(file);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd, STDERR_FILENO);
        dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
        execv(path, argv);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    ssize_t got = pread(fd, err, len - 1, 0);
    err[got > 0 ? got : 0] = '\0';
    close(fd);
    unlink(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

long rig_memory_kB(pid_t pid, const char *key)
{
    char path[64], line[256];
    const size_t n = strlen(key);
    long kB = -1;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *in = fopen(path, "r");
    while (in && fgets(line, sizeof(line), in))
        if (strncmp(line, key, n) == 0 && line[n] == ':')
            sscanf(line + n + 1, "%ld", &kB);
    if (in)
        fclose(in);
    return kB;
}

int rig_shell(char *out, size_t len, const char *command)
{
    FILE *pipe = popen(command, "r");
    cr_assert(pipe != NULL);
    out[fread(out, 1, len - 1, pipe)] = '\0';
    const int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *rig_refusal(json_t *reply, const char *key)
{
    static char text[1024];
    const char *is =
        json_string_value(json_object_get(json_object_get(reply, "error"), key));
    snprintf(text, sizeof(text), "%s", is ? is : "");
    json_decref(reply);
    return text;
}

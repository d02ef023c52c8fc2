/* journal.c - see journal.h. */
#include "daemon/journal.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h> /* LOG_ERR, ... */
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

static const int64_t INTERVAL_ns = 5000000000;

static const struct {
    const char *id;
    int priority;
} classes[N_JOURNAL_CLASSES] = {
    [JOURNAL_STARTED] = {"537b111be707403f847e5d4e62460c76", LOG_INFO},
    [JOURNAL_ENDED] = {"f7e6b9707e1545b5a57329f87bc40eb7", LOG_INFO},
    [JOURNAL_CANNOT_START] = {"ec74dda694f341f3a77f727944908af9", LOG_ERR},
    [JOURNAL_CONFIG] = {"b32d6312e1c045b395b7649cd9750eaa", LOG_ERR},
    [JOURNAL_RELOADED] = {"046a247994294257a865300065d1fbf5", LOG_NOTICE},
    [JOURNAL_REALTIME] = {"e2796fc8324a44168ec1db78e018355e", LOG_WARNING},
    [JOURNAL_FAULT] = {"b2b5efffa3ca47fe80c00cb34a7b34b8", LOG_ERR},
    [JOURNAL_STATE] = {"b309cc14d71e4c7f9086fdce91e87386", LOG_INFO},
    [JOURNAL_LINK_UP] = {"2ba9062819794e7181b44b93fa92f286", LOG_INFO},
    [JOURNAL_LINK_DOWN] = {"4a83369c8504439c8079800592cad609", LOG_NOTICE},
    [JOURNAL_SERVOS] = {"5e0d2f7c9a3b4c1d8e6f70b1a2c3d495", LOG_WARNING},
    [JOURNAL_GUARD] = {"1484cde5e2d54e1cabfc82b2715e2f20", LOG_NOTICE},
    [JOURNAL_SKILL] = {"079d21d0142d4332b24371ea1cb49354", LOG_INFO},
    [JOURNAL_STORAGE] = {"8c1f6f0b8e5f4a6c9f0d0a5f6a1b7e23", LOG_WARNING},
};

static bool is_journal; /* stderr leads to the journal */

/* Limits belong to whoever holds the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct journal_limit limits[N_JOURNAL_CLASSES];

/* systemd names the stream that it connected, which a shell may have redirected since. */
void journal_open(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat ours;
    is_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                 fstat(STDERR_FILENO, &ours) == 0 && ours.st_dev == device &&
                 ours.st_ino == inode;
}

const char *journal_message_id(enum journal_class class)
{
    return classes[class].id;
}

bool journal_admit(struct journal_limit *limit, int64_t now_ns, int *left_out)
{
    if (!limit->since_ns || now_ns - limit->since_ns >= INTERVAL_ns) {
        limit->since_ns = now_ns;
        limit->said = 0;
    }
    if (limit->said >= JOURNAL_BURST) {
        limit->left_out++;
        return false;
    }
    *left_out = limit->left_out;
    limit->left_out = 0;
    limit->said++;
    return true;
}

static bool may_speak(enum journal_class class, int *left_out)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    pthread_mutex_lock(&lock);
    bool is_admitted = journal_admit(
        &limits[class], t.tv_sec * INT64_C(1000000000) + t.tv_nsec, left_out);
    pthread_mutex_unlock(&lock);
    return is_admitted;
}

int journal_fields(const struct journal_record *record, const char *message,
                   char text[JOURNAL_FIELDS][JOURNAL_FIELD_LEN],
                   struct iovec fields[JOURNAL_FIELDS])
{
    char priority[8];
    const char *const values[JOURNAL_FIELDS][2] = {
        {"MESSAGE", message},         {"MESSAGE_ID", classes[record->class].id},
        {"PRIORITY", priority},       {"ARM_FAULT", record->fault},
        {"ARM_JOINT", record->joint}, {"ARM_STATE", record->state},
        {"ARM_SKILL", record->skill},
    };
    int n = 0;
    snprintf(priority, sizeof(priority), "%d", classes[record->class].priority);
    for (int k = 0; k < JOURNAL_FIELDS; k++) {
        if (!values[k][1] || !*values[k][1])
            continue;
        snprintf(text[n], JOURNAL_FIELD_LEN, "%s=%s", values[k][0], values[k][1]);
        fields[n] = (struct iovec){text[n], strlen(text[n])};
        n++;
    }
    return n;
}

static bool send_record(const struct journal_record *record, const char *message)
{
    char text[JOURNAL_FIELDS][JOURNAL_FIELD_LEN];
    struct iovec fields[JOURNAL_FIELDS];
    int n = journal_fields(record, message, text, fields);
    return sd_journal_sendv(fields, n) == 0;
}

/* The level in front is for a journal that took no record: it reads stderr too. */
static void print_line(enum journal_class class, const char *message)
{
    const int priority = classes[class].priority;
    if (!is_journal && class == JOURNAL_STATE)
        return;
    if (is_journal)
        fprintf(stderr, "<%d>", priority);
    fprintf(stderr, "%s%s%s\n", class == JOURNAL_CONFIG ? "" : "armd: ",
            priority == LOG_WARNING ? "warning: " : "", message);
}

static void say(const struct journal_record *record, const char *message)
{
    if (!is_journal || !send_record(record, message))
        print_line(record->class, message);
}

void journal_log(const struct journal_record *record, const char *format, ...)
{
    char message[JOURNAL_FIELD_LEN - 32];
    va_list args;
    int left_out = 0;
    if (!may_speak(record->class, &left_out))
        return;
    va_start(args, format);
    int n = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    n = n >= (int)sizeof(message) ? (int)sizeof(message) - 1 : n;
    if (left_out)
        snprintf(message + n, sizeof(message) - (size_t)n,
                 " (%d messages of this kind were left out before)", left_out);
    say(record, message);
}

/* All of them: a list of problems is of no use when it is not whole. */
void journal_lines(enum journal_class class, const char *text)
{
    while (*text) {
        const int n = (int)strcspn(text, "\n");
        char line[JOURNAL_FIELD_LEN];
        const int skip = !strncmp(text, "armd: ", 6) ? 6 : 0;
        snprintf(line, sizeof(line), "%.*s", n - skip, text + skip);
        say(&(struct journal_record){.class = class}, line);
        text += n + (text[n] == '\n');
    }
}

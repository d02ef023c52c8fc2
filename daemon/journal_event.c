/* journal_event.c - events of telemetry that belong into the journal as well. */
#include "daemon/journal_event.h"

#include <stdio.h>
#include <string.h>

#include "daemon/journal.h"

static const struct {
    const char *kind;
    enum journal_class class;
} kinds[] = {
    {"fault", JOURNAL_FAULT},         {"state", JOURNAL_STATE},
    {"link_up", JOURNAL_LINK_UP},     {"postmortem", JOURNAL_STORAGE},
    {"link_down", JOURNAL_LINK_DOWN}, {"learned", JOURNAL_SKILL},
    {"healed", JOURNAL_SKILL},        {"relearned", JOURNAL_SKILL},
    {"forgotten", JOURNAL_SKILL},     {"not_kept", JOURNAL_STORAGE},
};

static const char *text(const json_t *event, const char *key)
{
    const char *value = json_string_value(json_object_get(event, key));
    return value ? value : "";
}

/* "'wave' learned, 10.8 mm" or "'wave' forgotten: no core was free" */
static void say_skill(const struct journal_record *record, const char *kind,
                      const json_t *event)
{
    const json_t *error = json_object_get(event, "tip_rmse_mm");
    char more[256] = "";
    if (json_is_number(error))
        snprintf(more, sizeof(more), ", %.1f mm", json_number_value(error));
    else if (*text(event, "reason"))
        snprintf(more, sizeof(more), ": %s", text(event, "reason"));
    journal_log(record, "'%s' %s%s", record->skill, kind, more);
}

static void say(const struct journal_record *record, const char *kind,
                const json_t *event)
{
    switch (record->class) {
    case JOURNAL_FAULT:
        journal_log(record, "fault %s%s%s: %s; %s", record->fault,
                    *record->joint ? " of joint " : "", record->joint,
                    text(event, "cause"), text(event, "way_out"));
        return;
    case JOURNAL_STATE:
        journal_log(record, "%s, was %s", record->state, text(event, "from"));
        return;
    case JOURNAL_LINK_UP:
        journal_log(record, "arm on %s", text(event, "port"));
        return;
    case JOURNAL_LINK_DOWN:
        journal_log(record, "the arm on %s is gone", text(event, "port"));
        return;
    case JOURNAL_STORAGE:
        if (!*text(event, "file"))
            break;
        journal_log(record, "the cycles before the fault are in %s", text(event, "file"));
        return;
    default:
        break;
    }
    say_skill(record, kind, event);
}

void journal_event(const char *kind, const json_t *event)
{
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        if (!strcmp(kind, kinds[k].kind)) {
            const struct journal_record record = {.class = kinds[k].class,
                                                  .fault = text(event, "fault"),
                                                  .joint = text(event, "joint"),
                                                  .state = text(event, "to"),
                                                  .skill = text(event, "name")};
            say(&record, kind, event);
        }
}

/* Fuzzing: no message of a page may crash armweb, act without the token, or name its sender. */
#include <stdlib.h>
#include <string.h>

#include "daemon/web_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char token[] = "0123456789abcdef0123456789abcdef";
    static const char *const guarded[] = {"teach", "run", "move", "reset", "forget"};
    const char *text = (const char *)data;
    const bool is_acting = size & 1;
    struct web_message m = web_message_read(text, size, token, is_acting);
    if ((m.verdict == WEB_FORWARD) != (m.request != NULL))
        abort();
    if (m.verdict != WEB_ACTING && (m.verdict == WEB_FORWARD) == (m.why != NULL))
        abort();
    if (m.is_right && !memmem(data, size, token, sizeof(token) - 1))
        abort(); /* it was guessed */
    const char *cmd = json_string_value(json_object_get(m.request, "cmd"));
    for (size_t i = 0; m.request && !is_acting && i < 5; i++)
        if (strcmp(cmd, guarded[i]) == 0)
            abort();
    if (json_object_get(m.request, "client"))
        abort();
    json_decref(m.request);
    char *copy = malloc(size + 1);
    if (copy) {
        memcpy(copy, data, size);
        copy[size] = '\0';
        web_origin_is_ours(copy, "127.0.0.1:8137", "http://rig:8137");
        web_origin_is_ours("http://127.0.0.1:8137", copy, copy);
        free(copy);
    }
    return 0;
}

/* control_text.c - control_check_text() by itself, for programs that take requests and are not
 * armd. */
#include "daemon/control.h"

const char *control_check_text(const char *text, size_t len)
{
    int depth = 0;
    bool is_string = false;
    if (len > CONTROL_MAX_B)
        return "the request is larger than 1 MiB";
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (is_string && c == '\\')
            i++;
        else if (c == '"')
            is_string = !is_string;
        else if (!is_string && (c == '{' || c == '['))
            depth++;
        else if (!is_string && (c == '}' || c == ']'))
            depth--;
        if (depth > CONTROL_MAX_DEPTH)
            return "the request is nested deeper than 16";
    }
    return NULL;
}

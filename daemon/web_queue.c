/* web_queue.c - see web_queue.h. */
#include "daemon/web_queue.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned char *web_frame_text(struct web_frame *f)
{
    return f->bytes + WEB_FRAME_ROOM;
}

struct web_frame *web_frame_print(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    struct web_frame *f =
        len < 0 ? NULL : malloc(sizeof(*f) + WEB_FRAME_ROOM + (size_t)len + 1);
    if (f) {
        f->refs = 1;
        f->len = (size_t)len;
        vsnprintf((char *)web_frame_text(f), f->len + 1, format, again);
    }
    va_end(again);
    return f;
}

void web_frame_release(struct web_frame *f)
{
    if (f && --f->refs == 0)
        free(f);
}

/* its frame, which is the caller's now */
static struct web_frame *take_item(struct web_queue *q, int i)
{
    struct web_frame *frame = q->item[i].frame;
    q->bytes -= frame->len;
    q->n--;
    memmove(q->item + i, q->item + i + 1, (size_t)(q->n - i) * sizeof(q->item[0]));
    return frame;
}

static void remove_item(struct web_queue *q, int i)
{
    web_frame_release(take_item(q, i));
}

/* makes room by the oldest telemetry; false when there is none */
static bool drop_oldest(struct web_queue *q)
{
    for (int i = 0; i < q->n; i++)
        if (q->item[i].kind != WEB_WORD) {
            remove_item(q, i);
            q->dropped++;
            return true;
        }
    return false;
}

static bool is_newest_enough(enum web_kind kind)
{
    return kind == WEB_STATE || kind == WEB_TIMING || kind == WEB_CHIP;
}

bool web_queue_put(struct web_queue *q, enum web_kind kind, struct web_frame *frame)
{
    for (int i = 0; is_newest_enough(kind) && i < q->n; i++)
        if (q->item[i].kind == kind) {
            remove_item(q, i);
            q->dropped++;
            break;
        }
    while (q->n == WEB_QUEUE_LEN || q->bytes + frame->len > WEB_QUEUE_MAX_B)
        if (!drop_oldest(q))
            return false;
    frame->refs++;
    q->bytes += frame->len;
    q->item[q->n].kind = kind;
    q->item[q->n++].frame = frame;
    return true;
}

struct web_frame *web_queue_take(struct web_queue *q)
{
    return q->n ? take_item(q, 0) : NULL;
}

void web_queue_clear(struct web_queue *q)
{
    while (q->n)
        remove_item(q, 0);
}

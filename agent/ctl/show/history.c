/* SPDX-License-Identifier: Apache-2.0
 *
 * history.c - `homingctl history`: one line for each event, and below a switch what is known
 * of it.
 */
#include "config.h"

#include <string.h>
#include <time.h>

#include "agent/ctl/show/show.h"

/* As the agent's clock said then; people compare with logs. An age would give another second at each
 * call. An agent of an older version tells nothing else. */
static void print_time(const struct show *show, const struct msg_value *entry)
{
    uint64_t at_ms = msg_get_uint(entry, "at_unix_ms", 0);
    time_t at = at_ms ? (time_t)(at_ms / 1000)
                      : time(NULL) - (time_t)(msg_get_uint(entry, "ago_ms", 0) / 1000);
    struct tm tm;
    char text[32];

    if (localtime_r(&at, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
        fputs(text, show->out);
}

static void print_ms(const struct show *show, const char *before, const struct msg_value *map,
                     const char *key, const char *behind)
{
    uint64_t ms;

    if (msg_uint(msg_get(map, key), &ms))
        fprintf(show->out, "%s%llu ms%s", before, (unsigned long long)ms, behind);
}

static void print_count(const struct show *show, const struct msg_value *map, const char *key,
                        const char *sep, const char *text)
{
    uint64_t count = msg_get_uint(map, key, 0);

    if (count)
        fprintf(show->out, "%s%llu %s", sep, (unsigned long long)count, text);
}

static void print_sever(const struct show *show, const struct msg_value *sever)
{
    uint64_t severed = msg_get_uint(sever, "severed", 0);
    uint64_t redirected = msg_get_uint(sever, "redirected", 0);

    if (msg_type(sever) != MSG_TYPE_MAP) {
        fputs("    severed    nothing was ordered: not in that mode or state (W7), or there was "
              "no homing-sever\n",
              show->out);
        return;
    }
    fprintf(show->out, "    severed    %llu connection%s of the old writer's",
            (unsigned long long)severed, severed == 1 ? "" : "s");
    print_count(show, sever, "would_sever", ", ", "would have been (observe)");
    print_count(show, sever, "not_severed", ", ", "refused by the kernel");
    print_count(show, sever, "untagged", ", ", "without a tag left alone (homingctl connections)");
    print_ms(show, ", ordered ", sever, "order_ms", " after that answer");
    fputs(msg_get_bool(sever, "done", false) ? "\n" : "; still at it\n", show->out);
    fprintf(show->out, "    redirected %llu connect%s on this node until then",
            (unsigned long long)redirected, redirected == 1 ? "" : "s");
    print_count(show, sever, "would_redirect", ", ", "would have been (observe)");
    fputc('\n', show->out);
}

/* What is known of a switch, below its line. */
static void print_switch(const struct show *show, const struct msg_value *change)
{
    const char *from = msg_get_str(change, "from");
    bool first = from && strcmp(from, "none") == 0;

    if (msg_type(change) != MSG_TYPE_MAP)
        return;
    fputs("    evidence   ", show->out);
    show_str(show, change, "evidence", "?");
    fputs("\n    times      ", show->out);
    print_ms(show, "old writer silent for ", change, "old_writer_silent_ms", "; ");
    print_ms(show, "decided by an answer that took ", change, "answer_ms", "");
    print_ms(show, ", published ", change, "publish_ms", " after it");
    fputc('\n', show->out);
    if (first) /* there was nobody before it */
        return;
    print_sever(show, msg_get(change, "sever"));
    if (msg_get_str(change, "loss")) {
        fputs("    lost       ", show->out);
        show_str(show, change, "loss", "");
        fputc('\n', show->out);
    }
}

void show_history(const struct show *show, const struct msg_value *history)
{
    for (uint32_t i = 0; i < msg_array_len(history); i++) {
        const struct msg_value *entry = msg_array_at(history, i);

        print_time(show, entry);
        fputs("  ", show->out);
        show_str(show, entry, "cluster", "(agent)");
        fputs("  ", show->out);
        show_str(show, entry, "event", "?");
        fputs("  ", show->out);
        show_str(show, entry, "text", "");
        fputc('\n', show->out);
        print_switch(show, msg_get(entry, "switch"));
    }
    if (msg_array_len(history) == 0)
        fputs("nothing has changed since the agent started\n", show->out);
}

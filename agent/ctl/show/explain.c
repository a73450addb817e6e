/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.c - `homingctl explain` and `resolve`: what programs get for a name, and why.
 */
#include "config.h"

#include <string.h>

#include "agent/ctl/show/show.h"
#include "agent/ctl/show/text.h"
#include "proto/msg_print.h"

static void line(const struct show *show, const char *label, const struct msg_value *map,
                 const char *key)
{
    if (!msg_get_str(map, key))
        return;
    fprintf(show->out, "  %-13s", label);
    show_str(show, map, key, "");
    fputc('\n', show->out);
}

static bool is_answer(const struct msg_value *cluster)
{
    static const char *const without[] = {"unknown", "stale"};
    const char *state = msg_get_str(cluster, "state");

    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        if (!state || strcmp(state, without[i]) == 0)
            return false;
    return true;
}

static void answer(const struct show *show, const struct msg_value *name)
{
    const struct msg_value *addresses = msg_get(name, "addresses");

    fputs("  answer       ", show->out);
    for (uint32_t i = 0; i < msg_array_len(addresses); i++) {
        fputs(i ? ", " : "", show->out);
        msg_print_text(show->out, msg_array_at(addresses, i));
    }
    fprintf(show->out, "%s, generation %llu", msg_array_len(addresses) ? "" : "none",
            (unsigned long long)msg_get_uint(name, "generation", 0));
    show_other_ports(show, name);
    fputc('\n', show->out);
}

static void print_name(const struct show *show, const struct msg_value *name,
                       const struct msg_value *cluster)
{
    const struct msg_value *layers = msg_get(name, "layers");

    show_str(show, name, "name", "?");
    fputs(" is the ", show->out);
    show_str(show, name, "role", "?");
    fputs(" of cluster ", show->out);
    show_str(show, cluster, "cluster", "?");
    fputs(" (mode ", show->out);
    show_str(show, name, "mode", "?");
    fputs(")\n", show->out);
    answer(show, name);
    line(show, "lookups", layers, "lookup");
    line(show, "connects", layers, "connect");
    line(show, "severing", layers, "sever");
}

bool show_explain(const struct show *show, const struct msg_value *explain)
{
    const struct msg_value *cluster = msg_get(explain, "cluster");
    const struct msg_value *name = msg_get(explain, "name");
    struct show evidence = *show;

    if (msg_type(name) == MSG_TYPE_MAP)
        print_name(show, name, cluster);
    line(show, "why", cluster, "reason_text");
    fputs("  would change if ", show->out);
    show_str(show, explain, "change", "?");
    fputc('\n', show->out);
    line(show, "data set", cluster, "identity");
    fputc('\n', show->out);
    evidence.positions = true;
    show_cluster(&evidence, cluster);
    return is_answer(cluster);
}

static void no_answer(const struct msg_value *result)
{
    const struct show err = {.out = stderr};

    fputs("homingctl: no answer for ", stderr);
    show_str(&err, result, "name", "?");
    fputs(": cluster ", stderr);
    show_str(&err, result, "cluster", "?");
    fputs(" is ", stderr);
    show_str(&err, result, "state", "?");
    fputs("; programs ask the real resolver (homingctl status says more)\n", stderr);
}

static void note_mode(const struct msg_value *result)
{
    const char *mode = msg_get_str(result, "mode");

    if (mode && (strcmp(mode, "observe") == 0 || strcmp(mode, "off") == 0))
        fprintf(stderr, "homingctl: mode %s: programs still ask the real resolver\n", mode);
}

/* A reader's are taken in turn: they have no order. */
static bool is_turned(const struct msg_value *result, comes_first_fn *other_first)
{
    const struct msg_value *addresses = msg_get(result, "addresses");
    const char *text = msg_str(msg_array_at(addresses, 0)), *role = msg_get_str(result, "role");
    const char *other = msg_str(msg_array_at(addresses, 1));

    return text && other && msg_array_len(addresses) == 2 && role && strcmp(role, "writer") == 0 &&
           other_first(text, other);
}

bool show_resolve(const struct show *show, const struct msg_value *result,
                  comes_first_fn *other_first)
{
    const struct msg_value *addresses = msg_get(result, "addresses");
    uint32_t count = msg_array_len(addresses);

    if (count == 0 || msg_get_bool(result, "stale", true) || !is_answer(result)) {
        no_answer(result);
        return false;
    }
    bool turned = is_turned(result, other_first);
    for (uint32_t i = 0; i < count; i++) {
        msg_print_text(show->out, msg_array_at(addresses, turned ? count - 1 - i : i));
        fputc('\n', show->out);
    }
    note_mode(result);
    return true;
}

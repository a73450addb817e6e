/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni_status.c - as patroni_status.h says, with jansson.
 */
#include "config.h"

#include <jansson.h>
#include <string.h>

#include "agent/probe/engines/patroni/patroni_status.h"

void patroni_status_prepare(void)
{
    json_object_seed(0);
}

/* jansson would go down 2048 levels, and that far on our stack. A bracket within a text is none: enough
 * of them that close would hide as many that open. */
static bool is_shallow(const char *text, size_t len)
{
    bool quoted = false;
    int depth = 0;

    for (size_t i = 0; i < len; i++) {
        if (quoted && text[i] == '\\')
            i++; /* what is escaped ends no text */
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (text[i] == '{' || text[i] == '[') - (text[i] == '}' || text[i] == ']');
        if (depth > PATRONI_DEPTH_MAX)
            return false;
    }
    return true;
}

static void get_text(const json_t *from, const char *key, char *ret, size_t size)
{
    const json_t *value = json_object_get(from, key);
    size_t length = json_string_length(value); /* 0: it is no string */

    ret[0] = '\0';
    if (length > 0 && length < size)
        memcpy(ret, json_string_value(value), length + 1);
}

static int64_t get_number(const json_t *from, const char *key)
{
    const json_t *value = json_object_get(from, key);

    return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value)
                                                                    : -1;
}

static void read_object(const json_t *object, struct patroni_status *s)
{
    const json_t *xlog = json_object_get(object, "xlog");

    get_text(object, "state", s->state, sizeof(s->state));
    get_text(object, "role", s->role, sizeof(s->role));
    get_text(object, "postmaster_start_time", s->start, sizeof(s->start));
    get_text(object, "database_system_identifier", s->identifier, sizeof(s->identifier));
    get_text(json_object_get(object, "patroni"), "scope", s->scope, sizeof(s->scope));
    s->timeline = get_number(object, "timeline");
    s->location = get_number(xlog, "location");
    s->replayed = get_number(xlog, "replayed_location");
    s->dcs_seen = get_number(object, "dcs_last_seen");
    s->paused = json_is_true(json_object_get(object, "pause"));
    s->unlocked = json_is_true(json_object_get(object, "cluster_unlocked"));
    s->failsafe = json_is_true(json_object_get(object, "failsafe_mode_is_active"));
}

bool patroni_status_read(const char *text, size_t len, struct patroni_status *ret_status)
{
    if (len > PATRONI_STATUS_MAX || !is_shallow(text, len))
        return false;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(root);
    if (good)
        read_object(root, ret_status);
    json_decref(root);
    return good;
}

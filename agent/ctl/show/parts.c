/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.c - see parts.h.
 */
#include "config.h"

#include <string.h>

#include "agent/ctl/show/parts.h"
#include "agent/ctl/show/text.h"

void show_str(const struct show *show, const struct msg_value *map, const char *key,
              const char *otherwise)
{
    const char *text = msg_get_str(map, key);
    char clean[CLEAN_SIZE];

    text_clean(text ? text : otherwise, clean, sizeof(clean));
    fputs(clean, show->out);
}

void show_other_ports(const struct show *show, const struct msg_value *map)
{
    const struct msg_value *ports = msg_get(map, "other_ports");
    uint64_t port;

    for (uint32_t i = 0; i < msg_array_len(ports); i++)
        if (msg_uint(msg_array_at(ports, i), &port))
            fprintf(show->out, "%s%llu", i ? ", " : ", also at port ", (unsigned long long)port);
}

bool show_is(const struct msg_value *map, const char *key, const char *text)
{
    const char *value = msg_get_str(map, key);

    return value && strcmp(value, text) == 0;
}

void show_age(const struct show *show, const struct msg_value *map, const char *key, int width)
{
    uint64_t ms;
    char text[TEXT_SHORT] = "never";

    if (msg_uint(msg_get(map, key), &ms))
        text_age(ms, text);
    fprintf(show->out, "%-*s", width, text);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.c - decides about one lookup of a managed name.
 */
#include <sys/socket.h>

#include "shim/lookup.h"

const char *lookup_action_name(enum lookup_action action)
{
    switch (action) {
    case LOOKUP_PASS:
        return "pass";
    case LOOKUP_ANSWER:
        return "answer";
    case LOOKUP_VERIFY:
        return "verify";
    case LOOKUP_NONAME:
        return "noname";
    case LOOKUP_ACTION_COUNT:
        break;
    }
    return "invalid";
}

/* The reader whose turn it is among those of a family, or NULL. */
static const char *lookup_reader(const struct view_address *readers, uint32_t count, int family,
                                 uint32_t turn)
{
    uint32_t of_family = 0;

    for (uint32_t i = 0; i < count; i++)
        of_family += readers[i].family == family;
    if (of_family == 0)
        return NULL;
    turn %= of_family;
    for (uint32_t i = 0; i < count; i++)
        if (readers[i].family == family && turn-- == 0)
            return readers[i].text;
    return NULL;
}

static const char *lookup_writer(const struct view_entry *entry, int family)
{
    const char *text = family == 4 ? entry->text4 : entry->text6;

    return *text ? text : NULL;
}

/* The families to try, best first; 0: no second one. Nobody who left the choice to us is told that
 * there is nothing because the preferred family is missing. */
static void lookup_families(const struct view_entry *entry, const struct lookup_question *question,
                            int ret_families[2])
{
    int preferred = entry->family == 6 ? 6 : 4;

    if (question->family == AF_UNSPEC) {
        ret_families[0] = preferred;
        ret_families[1] = preferred == 4 ? 6 : 4;
        return;
    }
    ret_families[0] = question->family == AF_INET6 ? 6 : 4;
    ret_families[1] = question->family == AF_INET6 && question->mapped ? 4 : 0;
}

/* A reader if the endpoint wants one and there is one, else the writer. */
static const char *lookup_text(const struct view_entry *entry,
                               const struct lookup_question *question,
                               const struct view_address *readers, uint32_t reader_count)
{
    int families[2];
    const char *text = NULL;

    lookup_families(entry, question, families);
    if (entry->role == VIEW_ROLE_READER)
        for (int i = 0; i < 2 && !text; i++)
            text = lookup_reader(readers, reader_count, families[i], question->turn);
    for (int i = 0; i < 2 && !text && families[i]; i++)
        text = lookup_writer(entry, families[i]);
    return text;
}

enum lookup_action lookup_decide(const struct view_entry *entry,
                                 const struct lookup_question *question,
                                 const struct view_address *readers, uint32_t reader_count,
                                 const char **ret_text)
{
    bool stale = view_entry_stale(entry, question->now_ms);
    const char *text;

    if (entry->mode < VIEW_MODE_NAMES || entry->state == VIEW_STATE_UNKNOWN)
        return LOOKUP_PASS;
    text = lookup_text(entry, question, readers, reader_count);
    if (text) {
        *ret_text = text;
        return stale ? LOOKUP_VERIFY : LOOKUP_ANSWER;
    }
    text = lookup_writer(entry, question->family == AF_INET ? 6 : 4);
    if (!text || stale) /* the view has nothing to say, or nothing that would be believed */
        return LOOKUP_PASS;
    *ret_text = text;
    return LOOKUP_NONAME;
}

static bool lookup_same(const uint8_t *a, const uint8_t *b, int len)
{
    uint8_t differs = 0;

    for (int i = 0; i < len; i++)
        differs |= a[i] ^ b[i];
    return differs == 0;
}

bool lookup_is_demoted(int family, const uint8_t *address, const struct view_address *demoted,
                       uint32_t count)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    int len = family == AF_INET ? 4 : 16;

    if (family != AF_INET && family != AF_INET6)
        return false;
    if (family == AF_INET6 && lookup_same(address, mapped, sizeof(mapped))) {
        address += sizeof(mapped);
        len = 4;
    }
    for (uint32_t i = 0; i < count; i++)
        if (demoted[i].family == (len == 4 ? 4 : 6) && lookup_same(demoted[i].bytes, address, len))
            return true;
    return false;
}

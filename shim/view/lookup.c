/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.c - decides about one lookup of a managed name.
 */
#include <sys/socket.h>

#include "shim/view/lookup.h"

/* The reader whose turn it is, of those that have the family; or NULL. */
static const char *lookup_reader(const struct view_address *readers, uint32_t count, int family,
                                 uint32_t turn)
{
    uint32_t of_family = 0;

    for (uint32_t i = 0; i < count; i++)
        of_family += readers[i].address.family == family;
    if (of_family == 0)
        return NULL;
    turn %= of_family;
    for (uint32_t i = 0; i < count; i++)
        if (readers[i].address.family == family && turn-- == 0)
            return readers[i].text;
    return NULL;
}

static const char *lookup_writer(const struct view_entry *entry, int family)
{
    const char *text = family == 4 ? entry->text4 : entry->text6;

    return *text ? text : NULL;
}

/* The family to look for first: the one asked for, else the one that the agent uses. */
static int lookup_family(const struct view_entry *entry, const struct lookup_question *question)
{
    if (question->family == AF_UNSPEC)
        return entry->family;
    return question->family == AF_INET6 ? 6 : 4;
}

/* Whether an address of the other family will do. A program that leaves the choice to us must not
 * be told that there is nothing only because the agent's own family is missing. */
static bool lookup_other_will_do(const struct lookup_question *question)
{
    return question->family == AF_UNSPEC || (question->family == AF_INET6 && question->mapped);
}

/* A reader for a reader endpoint if there is one, else the writer. */
static const char *lookup_text(const struct view_entry *entry,
                               const struct lookup_question *question,
                               const struct view_address *readers, uint32_t reader_count)
{
    int family = lookup_family(entry, question), other = family == 4 ? 6 : 4;
    const char *text = NULL;

    if (entry->role == VIEW_ROLE_READER) {
        text = lookup_reader(readers, reader_count, family, question->turn);
        if (!text && lookup_other_will_do(question))
            text = lookup_reader(readers, reader_count, other, question->turn);
    }
    if (!text)
        text = lookup_writer(entry, family);
    if (!text && lookup_other_will_do(question))
        text = lookup_writer(entry, other);
    return text;
}

enum lookup_action lookup_decide(const struct view_entry *entry,
                                 const struct lookup_question *question,
                                 const struct view_address *readers, uint32_t reader_count,
                                 const char **ret_text)
{
    const char *text;
    bool stale;

    if (entry->mode < VIEW_MODE_NAMES || entry->state == VIEW_STATE_UNKNOWN)
        return LOOKUP_PASS;
    stale = view_entry_stale(entry, question->now_ms);
    text = lookup_text(entry, question, readers, reader_count);
    if (text) {
        *ret_text = text;
        return stale ? LOOKUP_VERIFY : LOOKUP_ANSWER;
    }
    text = lookup_writer(entry, question->family == AF_INET ? 6 : 4);
    if (!text || stale) /* the view has no address at all, or none that is confirmed */
        return LOOKUP_PASS;
    *ret_text = text;
    return LOOKUP_NONAME;
}

bool lookup_is_demoted(int family, const uint8_t *address, const struct view_address *demoted,
                       uint32_t count)
{
    struct inet_address asked;

    if (family != AF_INET && family != AF_INET6)
        return false;
    asked = inet_address_make(family == AF_INET ? 4 : 6, address, 0);
    for (uint32_t i = 0; i < count; i++)
        if (inet_address_same_host(&demoted[i].address, &asked))
            return true;
    return false;
}

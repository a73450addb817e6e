/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.c - decides about one lookup of a managed name.
 */
#include <sys/socket.h>

#include "shim/view/lookup.h"

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

/* Whether both families are asked for. */
static bool lookup_is_both(const struct lookup_question *question)
{
    return question->family == AF_UNSPEC ||
           (question->family == AF_INET6 && question->mapped && question->all);
}

static uint8_t lookup_opposite(int family)
{
    return family == 4 ? 6 : 4;
}

static const char *lookup_of_member(const struct view_address *readers, uint32_t count,
                                    uint16_t member, int family)
{
    for (uint32_t i = 0; i < count; i++)
        if (readers[i].member == member && readers[i].address.family == family)
            return readers[i].text;
    return NULL;
}

/* Whether the reader's address takes turns with those that have the family. With `alone` the only
 * address of a member does that has none of the family. */
static bool lookup_takes_turns(const struct view_address *reader,
                               const struct view_address *readers, uint32_t count, int family,
                               bool alone)
{
    return reader->address.family == family ||
           (alone && !lookup_of_member(readers, count, reader->member, family));
}

/* The reader whose turn it is; or NULL. */
static const struct view_address *lookup_reader(const struct view_address *readers, uint32_t count,
                                                int family, uint32_t turn, bool alone)
{
    uint32_t taking = 0;

    for (uint32_t i = 0; i < count; i++)
        taking += lookup_takes_turns(&readers[i], readers, count, family, alone);
    if (taking == 0)
        return NULL;
    turn %= taking;
    for (uint32_t i = 0; i < count; i++)
        if (lookup_takes_turns(&readers[i], readers, count, family, alone) && turn-- == 0)
            return &readers[i];
    return NULL;
}

/* The other family's address is the same member's if it has one. Else it is another reader's: a
 * network may have a route to that one only. */
static void lookup_other_reader(const struct view_address *reader,
                                const struct lookup_question *question,
                                const struct view_address *readers, uint32_t count,
                                struct lookup_texts *ret)
{
    int family = lookup_opposite(reader->address.family);
    const struct view_address *another;

    ret->other = lookup_of_member(readers, count, reader->member, family);
    ret->one_member = ret->other;
    if (ret->other)
        return;
    another = lookup_reader(readers, count, family, question->turn, false);
    ret->other = another ? another->text : NULL;
}

static void lookup_readers(const struct view_entry *entry, const struct lookup_question *question,
                           const struct view_address *readers, uint32_t count,
                           struct lookup_texts *ret)
{
    int family = lookup_family(entry, question);
    bool both = lookup_is_both(question);
    const struct view_address *reader = lookup_reader(readers, count, family, question->turn, both);

    if (!reader && lookup_other_will_do(question))
        reader = lookup_reader(readers, count, lookup_opposite(family), question->turn, false);
    if (!reader)
        return;
    ret->text = reader->text;
    if (both)
        lookup_other_reader(reader, question, readers, count, ret);
}

static void lookup_writers(const struct view_entry *entry, const struct lookup_question *question,
                           struct lookup_texts *ret)
{
    int family = lookup_family(entry, question);
    const char *other = lookup_writer(entry, lookup_opposite(family));

    ret->text = lookup_writer(entry, family);
    ret->one_member = true;
    if (!ret->text && lookup_other_will_do(question))
        ret->text = other;
    else if (lookup_is_both(question))
        ret->other = other;
}

enum lookup_action lookup_decide(const struct view_entry *entry,
                                 const struct lookup_question *question,
                                 const struct view_address *readers, uint32_t reader_count,
                                 struct lookup_texts *ret)
{
    bool stale;

    if (entry->mode < VIEW_MODE_NAMES || entry->state == VIEW_STATE_UNKNOWN)
        return LOOKUP_PASS;
    stale = view_entry_stale(entry, question->now_ms);
    ret->text = ret->other = NULL;
    /* A reader for a reader endpoint if there is one, else the writer. */
    if (entry->role == VIEW_ROLE_READER)
        lookup_readers(entry, question, readers, reader_count, ret);
    if (!ret->text)
        lookup_writers(entry, question, ret);
    if (ret->text)
        return stale ? LOOKUP_VERIFY : LOOKUP_ANSWER;
    ret->text = lookup_writer(entry, question->family == AF_INET ? 6 : 4);
    if (!ret->text || stale) /* the view has no address at all, or none that is confirmed */
        return LOOKUP_PASS;
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

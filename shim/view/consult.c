/* SPDX-License-Identifier: Apache-2.0
 *
 * consult.c - the way of one name through the views of this process.
 */
#include <sys/socket.h>

#include "shim/view/attach.h"
#include "shim/view/consult.h"
#include "shim/view/process.h"
#include "shim/view/seen.h"

/* V4: if the new agent has no verdict for a name yet, the newest older verdict that is not stale is
 * kept, with the new agent's mode, so that the kill switch holds at once. */
__attribute__((noinline, cold)) static void consult_older(const struct attached *from,
                                                          uint64_t hash, uint64_t now_ms,
                                                          struct view_entry *entry,
                                                          const struct view_map **map)
{
    struct view_entry older;

    for (unsigned depth = 0; (from = attach_older(from, depth)); depth++) {
        if (view_read_hash(&from->map, hash, &older) != VIEW_FOUND ||
            older.state == VIEW_STATE_UNKNOWN || view_entry_stale(&older, now_ms))
            continue;
        older.mode = entry->mode;
        *entry = older;
        *map = &from->map;
        return;
    }
}

static bool consult_find(const struct name *name, uint64_t now_ms, struct consulted *out)
{
    const struct attached *head = attach_current(now_ms);

    if (!head)
        return false;
    out->map = &head->map;
    if (view_read(&head->map, name, &out->entry) != VIEW_FOUND)
        return false;
    if (out->entry.state == VIEW_STATE_UNKNOWN)
        consult_older(head, name->hash, now_ms, &out->entry, &out->map);
    return true;
}

/* A thread may be kept from running after it has looked at the clock. To it an entry that was
 * confirmed meanwhile would seem to come from another clock, and so to be stale. */
uint64_t consult_now_ms(const struct view_entry *entry, uint64_t now_ms)
{
    return entry->confirmed_ms > now_ms ? process_now_ms() : now_ms;
}

bool consult_hash(const struct attached *head, uint64_t hash, uint64_t now_ms,
                  struct view_entry *ret_entry, const struct view_map **ret_map)
{
    *ret_map = &head->map;
    if (view_read_hash(&head->map, hash, ret_entry) != VIEW_FOUND)
        return false;
    if (ret_entry->state == VIEW_STATE_UNKNOWN)
        consult_older(head, hash, now_ms, ret_entry, ret_map);
    return true;
}

/* Not inlined, because a writer endpoint does not need so much stack. */
__attribute__((noinline)) static enum lookup_action
consult_reader(const struct lookup_question *question, struct consulted *out)
{
    struct lookup_question with_turn = *question;
    struct view_address readers[HOMING_VIEW_ADDRESSES_MAX];
    uint32_t count = view_read_members(out->map, out->entry.cluster, VIEW_MEMBER_READER, readers,
                                       HOMING_VIEW_ADDRESSES_MAX);
    enum lookup_action action;

    with_turn.turn = count > 1 ? process_turn() : 0;
    action = lookup_decide(&out->entry, &with_turn, readers, count, &out->text);
    if (action == LOOKUP_PASS)
        return action;
    for (size_t i = 0; i < sizeof(out->reader_text); i++)
        if (!(out->reader_text[i] = out->text[i]))
            break;
    out->text = out->reader_text;
    return action;
}

enum lookup_action consult(const char *node, int family, bool mapped, struct consulted *ret)
{
    struct lookup_question question = {.family = family, .mapped = mapped};
    struct name name;

    ret->name_hash = 0;
    if (process_disabled())
        return LOOKUP_PASS;
    if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6)
        return LOOKUP_PASS;
    ret->name_hash = SEEN_FOREIGN;
    if (!name_canonical(node, &name))
        return LOOKUP_PASS;
    ret->name_hash = name.hash;
    question.now_ms = process_now_ms();
    if (!consult_find(&name, question.now_ms, ret))
        return LOOKUP_PASS;
    question.now_ms = consult_now_ms(&ret->entry, question.now_ms);
    if (ret->entry.role == VIEW_ROLE_READER && ret->entry.mode >= VIEW_MODE_NAMES)
        return consult_reader(&question, ret);
    return lookup_decide(&ret->entry, &question, NULL, 0, &ret->text);
}

void consult_demoted(const struct consulted *consulted, struct consult_demoted *ret)
{
    ret->count = 0;
    if (consulted->entry.role == VIEW_ROLE_WRITER)
        ret->count = view_read_members(consulted->map, consulted->entry.cluster,
                                       VIEW_MEMBER_DEMOTED, ret->at, HOMING_VIEW_ADDRESSES_MAX);
}

size_t consult_name_len(const char *node)
{
    size_t len = 0;

    while (node[len])
        len++;
    return len > 0 && node[len - 1] == '.' ? len - 1 : len;
}

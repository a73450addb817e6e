/* SPDX-License-Identifier: Apache-2.0
 *
 * consult.c - the way of one name through the views of this process.
 */
#include <netdb.h>
#include <sys/socket.h>

#include "shim/view/attach.h"
#include "shim/view/consult.h"
#include "shim/view/process.h"
#include "shim/view/seen.h"

/* A thread may be kept from running after it has looked at the clock. To it an entry that was
 * confirmed meanwhile would seem to come from another clock, and so to be stale. */
uint64_t consult_now_ms(const struct view_entry *entry, uint64_t now_ms)
{
    return entry->confirmed_ms > now_ms ? process_now_ms() : now_ms;
}

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
            older.state == VIEW_STATE_UNKNOWN ||
            view_entry_stale(&older, consult_now_ms(&older, now_ms)))
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

/* The same for a connect. A second entry would take too much of its stack: so the older verdict is
 * read into the place of the new one, which is read once more if there is none. Inlined there, for
 * the same reason. */
__attribute__((always_inline)) inline bool consult_hash(const struct attached *head, uint64_t hash,
                                                        uint64_t now_ms,
                                                        struct view_entry *ret_entry,
                                                        const struct view_map **ret_map)
{
    const struct attached *from = head;
    enum view_mode mode;

    *ret_map = &head->map;
    if (view_read_hash(&head->map, hash, ret_entry) != VIEW_FOUND)
        return false;
    if (ret_entry->state != VIEW_STATE_UNKNOWN)
        return true;
    mode = ret_entry->mode;
    for (unsigned depth = 0; (from = attach_older(from, depth)); depth++) {
        if (view_read_hash(&from->map, hash, ret_entry) != VIEW_FOUND ||
            ret_entry->state == VIEW_STATE_UNKNOWN || view_entry_stale(ret_entry, now_ms))
            continue;
        ret_entry->mode = mode;
        *ret_map = &from->map;
        return true;
    }
    return view_read_hash(&head->map, hash, ret_entry) == VIEW_FOUND;
}

/* A text of the view is whole words. The writer's are kept in the entry. */
struct consult_text {
    uint64_t words[6];
} __attribute__((packed, may_alias));

static const char *consult_keep(const char *text, const struct view_entry *entry, char ret[48])
{
    if (!text || text == entry->text4 || text == entry->text6)
        return text;
    *(struct consult_text *)ret = *(const struct consult_text *)text;
    return ret;
}

static void consult_take(const struct lookup_texts *texts, struct consulted *ret)
{
    ret->text = texts->text;
    ret->other = texts->other;
    ret->one_member = texts->one_member;
}

/* Not inlined, because a writer endpoint does not need so much stack. */
__attribute__((noinline)) static enum lookup_action
consult_reader(const struct lookup_question *question, struct consulted *out)
{
    struct lookup_question with_turn = *question;
    struct lookup_texts texts;
    struct view_address readers[HOMING_VIEW_ADDRESSES_MAX];
    uint32_t count = view_read_members(out->map, out->entry.cluster, VIEW_MEMBER_READER, readers,
                                       HOMING_VIEW_ADDRESSES_MAX);
    enum lookup_action action;

    with_turn.turn = count > 1 ? process_turn() : 0;
    action = lookup_decide(&out->entry, &with_turn, readers, count, &texts);
    if (action == LOOKUP_PASS)
        return action;
    texts.text = consult_keep(texts.text, &out->entry, out->reader_text[0]);
    texts.other = consult_keep(texts.other, &out->entry, out->reader_text[1]);
    consult_take(&texts, out);
    return action;
}

enum lookup_action consult(const char *node, int family, int flags, struct consulted *ret)
{
    struct lookup_question question = {
        .family = family, .mapped = flags & AI_V4MAPPED, .all = flags & AI_ALL};
    struct lookup_texts texts;
    enum lookup_action action;
    struct name name;

    ret->name_hash = 0;
    ret->managed = false;
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
    ret->managed = true;
    question.now_ms = ret->now_ms = consult_now_ms(&ret->entry, question.now_ms);
    if (ret->entry.role == VIEW_ROLE_READER && ret->entry.mode >= VIEW_MODE_NAMES)
        return consult_reader(&question, ret);
    action = lookup_decide(&ret->entry, &question, NULL, 0, &texts);
    if (action != LOOKUP_PASS)
        consult_take(&texts, ret);
    return action;
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

static bool consult_same_name(const char *node, size_t len, const char *name)
{
    size_t i = 0;

    while (i < len && name[i] &&
           (node[i] == name[i] || ((node[i] | 0x20) == (name[i] | 0x20) &&
                                   (node[i] | 0x20) >= 'a' && (node[i] | 0x20) <= 'z')))
        i++;
    return i == len && !name[i];
}

__attribute__((noinline)) size_t consult_official(const struct consulted *consulted,
                                                  const char *node,
                                                  char ret_name[VIEW_OFFICIAL_SIZE])
{
    uint8_t flags =
        consulted->entry.role == VIEW_ROLE_READER ? VIEW_MEMBER_READER : VIEW_MEMBER_WRITER;
    uint32_t len = view_read_official(consulted->map, consulted->entry.cluster, consulted->text,
                                      flags, ret_name);

    return consult_same_name(node, consult_name_len(node), len ? ret_name : "") ? 0 : len;
}

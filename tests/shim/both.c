/* SPDX-License-Identifier: Apache-2.0
 *
 * both.c - a list that is made of two: what becomes of it if libc has no memory for the first, the
 * second or the name, and which lists may be joined. What the view says, and which libc stands
 * behind it, is told by the test; the shim's own getaddrinfo() is linked in.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shim/libc/next.h"
#include "shim/steer/late.h"
#include "shim/view/consult.h"
#include "tests/support/test.h"

enum libc {
    LIBC_BY_NODE,  /* as glibc: each node is a block of its own */
    LIBC_BY_BLOCK, /* as musl: a list is one block, and always has a name */
};

/* ---- a libc that counts ---- */

static enum libc behind;
static int calls, fails_at, fails_with; /* the call that fails, from 1; 0: none */
static int blocks;                      /* that are not freed */

static struct addrinfo *fake_node(struct addrinfo *at, const char *text,
                                  const struct addrinfo *hints, struct addrinfo *next)
{
    struct sockaddr_in6 *to = calloc(1, sizeof(*to));

    assert_non_null(to);
    blocks++;
    to->sin6_family = strchr(text, ':') ? AF_INET6 : AF_INET;
    inet_pton(to->sin6_family, text,
              strchr(text, ':') ? (void *)&to->sin6_addr
                                : (void *)&((struct sockaddr_in *)(void *)to)->sin_addr);
    *at = (struct addrinfo){.ai_flags = behind == LIBC_BY_NODE ? hints->ai_flags : 0,
                            .ai_family = to->sin6_family,
                            .ai_addrlen =
                                strchr(text, ':') ? sizeof(*to) : sizeof(struct sockaddr_in),
                            .ai_addr = (struct sockaddr *)to,
                            .ai_next = next};
    return at;
}

static int fake_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                            struct addrinfo **ret)
{
    static char name[] = "kept with the list";
    struct addrinfo *list = NULL;

    (void)service;
    if (++calls == fails_at)
        return fails_with;
    list = calloc(behind == LIBC_BY_NODE ? 1 : 2, sizeof(*list));
    assert_non_null(list);
    if (behind == LIBC_BY_BLOCK) {
        blocks++;
        list[0] = *fake_node(&list[1], node, hints, NULL);
        *ret = fake_node(&list[0], node, hints, &list[1]);
        list[0].ai_canonname = list[1].ai_canonname = name;
        return 0;
    }
    blocks += 2;
    *ret = fake_node(list, node, hints, fake_node(calloc(1, sizeof(*list)), node, hints, NULL));
    return 0;
}

static void fake_freeaddrinfo(struct addrinfo *list)
{
    bool block = behind == LIBC_BY_BLOCK;
    struct addrinfo *first = list;

    while (list) {
        struct addrinfo *next = list->ai_next;

        free(list->ai_addr);
        blocks--;
        if (!block) {
            free(list->ai_canonname);
            free(list);
            blocks--;
        }
        list = next;
    }
    if (block) {
        free(first);
        blocks--;
    }
}

/* ---- what stands in for the rest of the shim ---- */

_Atomic(void *) next_cache[NEXT_COUNT];

void *next_find(enum next_id id)
{
    return id == NEXT_GETADDRINFO ? (void *)fake_getaddrinfo : (void *)fake_freeaddrinfo;
}

static struct consulted answer; /* of the view */
static enum lookup_action action;

enum lookup_action consult(const char *node, int family, int flags, struct consulted *ret)
{
    (void)node, (void)family, (void)flags;
    *ret = answer;
    return action;
}

void consult_demoted(const struct consulted *consulted, struct consult_demoted *ret)
{
    (void)consulted;
    ret->count = 0;
}

size_t consult_name_len(const char *node)
{
    return strlen(node);
}

size_t consult_official(const struct consulted *consulted, const char *node,
                        char ret_name[VIEW_OFFICIAL_SIZE])
{
    (void)consulted, (void)node, (void)ret_name;
    return 0;
}

_Atomic uint64_t late_seen;

void late_look(const struct attached *head)
{
    (void)head;
}

/* ---- tests ---- */

static void both_of(enum libc libc)
{
    static char text[48] = "127.0.0.1", other[48] = "::1";
    static uint64_t now_ms = 1000000;

    behind = libc;
    action = LOOKUP_ANSWER;
    calls = fails_at = blocks = 0;
    now_ms += 100000; /* the routes are forgotten */
    answer = (struct consulted){.text = text, .other = other, .one_member = true, .now_ms = now_ms};
}

static int look_up(int flags, struct addrinfo **ret)
{
    struct addrinfo hints = {.ai_flags = flags, .ai_socktype = SOCK_STREAM};

    *ret = NULL;
    return getaddrinfo("db.test", "5432", &hints, ret);
}

static int families(const struct addrinfo *list)
{
    int found = 0;

    for (; list; list = list->ai_next)
        found |= list->ai_family == AF_INET ? 4 : list->ai_family == AF_INET6 ? 8 : 16;
    return found;
}

static void lists_are_joined_only_where_each_node_is_freed_by_itself(void **state)
{
    struct addrinfo *list;

    (void)state;
    both_of(LIBC_BY_NODE);
    assert_int_equal(look_up(0, &list), 0);
    assert_int_equal(families(list), 4 | 8);
    fake_freeaddrinfo(list);
    assert_int_equal(blocks, 0);
    both_of(LIBC_BY_BLOCK);
    assert_int_equal(look_up(0, &list), 0);
    assert_int_equal(families(list), 4);
    fake_freeaddrinfo(list);
    assert_int_equal(blocks, 0);
}

static void each_call_of_libc_may_fail_and_nothing_is_kept(void **state)
{
    static const int errors[] = {EAI_MEMORY, EAI_SYSTEM, EAI_SERVICE};
    struct addrinfo *list;

    (void)state;
    for (int libc = LIBC_BY_NODE; libc <= LIBC_BY_BLOCK; libc++)
        for (int call = 1; call <= 5; call++)
            for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
                int rv;

                both_of((enum libc)libc);
                fails_at = call;
                fails_with = errors[i];
                errno = 77;
                rv = look_up(AI_CANONNAME, &list);
                assert_true(rv == 0 || rv == fails_with);
                assert_int_equal(rv == 0, !!list);
                if (rv == 0)
                    assert_int_equal(errno, 77);
                if (list)
                    fake_freeaddrinfo(list);
                assert_int_equal(blocks, 0);
            }
}

static void without_memory_for_the_second_list_there_is_no_memory(void **state)
{
    struct addrinfo *list;

    (void)state;
    both_of(LIBC_BY_NODE);
    fails_at = 4; /* two to learn the routes, and the first list */
    fails_with = EAI_MEMORY;
    assert_int_equal(look_up(0, &list), EAI_MEMORY);
    assert_int_equal(blocks, 0);
    both_of(LIBC_BY_NODE);
    fails_at = 4;
    fails_with = EAI_NONAME; /* a view whose text is no address */
    assert_int_equal(look_up(0, &list), 0);
    assert_int_equal(families(list) & (families(list) - 1), 0);
    fake_freeaddrinfo(list);
    assert_int_equal(blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_are_joined_only_where_each_node_is_freed_by_itself),
        TEST(each_call_of_libc_may_fail_and_nothing_is_kept),
        TEST(without_memory_for_the_second_list_there_is_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

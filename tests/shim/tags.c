/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.c - the memory of the tags moves, and movers are overtaken: at each point where one may have
 * been stopped, no tag is lost, and it does no harm when it goes on.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/libc/socket.h"
#include "shim/permit/tags.h"
#include "tests/support/test.h"

static struct tags tags;

/* Without the number of a claim, and how much is mapped. */
static struct tag_memory *memory_now(void)
{
    return (struct tag_memory *)(atomic_load(&tags.place) & ~0xff00000000000fffull);
}

static void write_tag(int fd, uint64_t cookie)
{
    tags_write(&tags, fd, &(struct tags_tag){cookie, 7, 1, 100});
}

/* Moves on behalf of a claim. Returns the file; -1: it did not move. */
static int move(uint64_t claim)
{
    uint32_t slots = 0;
    int fd = tags_open(&tags, &slots);

    assert_true(fd >= 0);
    if (tags_move(&tags, claim, fd, slots))
        return fd;
    close(fd);
    return -1;
}

static uint64_t cookie_in(int file, int fd)
{
    uint64_t cookie = 0;
    off_t at = (off_t)(sizeof(struct tag_header) + (size_t)fd * sizeof(struct tag));

    assert_int_equal(pread(file, &cookie, sizeof(cookie), at), sizeof(cookie));
    return cookie;
}

static int start(void **test)
{
    (void)test;
    tags = (struct tags){0};
    assert_true(tags_ready(&tags));
    write_tag(3, 33);
    return 0;
}

static void a_claim_is_one_threads_until_it_is_given_back(void **test)
{
    uint64_t claim = tags_claim(&tags, false), next;

    (void)test;
    assert_true(claim);
    assert_true(tags_claims(&tags, claim));
    assert_false(tags_may_claim(&tags, false));
    assert_false(tags_claim(&tags, false));
    tags_release(&tags, claim);
    assert_true(tags_may_claim(&tags, false));
    next = tags_claim(&tags, false);
    assert_true(next && next != claim);
    assert_false(tags_claims(&tags, claim));
    tags_release(&tags, claim); /* not its any more */
    assert_false(tags_may_claim(&tags, false));
    tags_release(&tags, next);
}

static void two_places_take_turns(void **test)
{
    struct tag_memory *places[8];

    (void)test;
    for (int i = 0; i < 8; i++) {
        uint64_t claim = tags_claim(&tags, false);
        int file = move(claim);

        write_tag(10 + i, 10u + (unsigned)i);
        tags_release(&tags, claim);
        places[i] = memory_now();
        assert_ptr_equal(places[i], places[i % 2]);
        assert_int_equal(cookie_in(file, 3), 33);
        for (int j = 0; j <= i; j++)
            assert_int_equal(cookie_in(file, 10 + j), 10 + j);
        close(file);
    }
    assert_ptr_not_equal(places[0], places[1]);
}

static void who_was_overtaken_or_has_given_the_claim_back_does_not_move(void **test)
{
    uint64_t first = tags_claim(&tags, false), second = tags_claim(&tags, true), third;
    uint64_t now;
    int file = move(second);

    (void)test;
    assert_true(second);
    now = atomic_load(&tags.place);
    assert_int_equal(move(first), -1);
    tags_release(&tags, first);
    assert_int_equal(atomic_load(&tags.place), now); /* not even the number in it */
    tags_release(&tags, second);
    assert_int_equal(move(first), -1);
    assert_int_equal(move(second), -1);
    third = tags_claim(&tags, false);
    assert_true(move(third) >= 0);
    assert_int_equal(tags_cookie(&tags, 3), 33);
    assert_int_equal(cookie_in(file, 3), 33);
    close(file);
}

/* The place that it was to map at is its own for ever. */
static void nobody_else_is_given_its_place(void **test)
{
    uint64_t claim = tags_claim(&tags, false), stopped;
    struct tag_memory *spare = memory_now();

    (void)test;
    assert_true(move(claim) >= 0); /* `spare` is not in use now */
    tags_release(&tags, claim);
    stopped = tags_claim(&tags, false);
    for (int i = 0; i < 4; i++) {
        claim = tags_claim(&tags, i == 0);
        assert_true(claim != stopped && move(claim) >= 0);
        assert_ptr_not_equal(memory_now(), spare);
        tags_release(&tags, claim);
    }
}

/* It has exchanged the memory, and has not taken the counts along. */
static void who_overtakes_a_move_that_has_no_end_finishes_it(void **test)
{
    struct tag_memory *old = memory_now();
    uint64_t first = tags_claim(&tags, false), second;
    int file;

    (void)test;
    assert_true(move(first) >= 0);
    atomic_store(&tags.claim, (uintptr_t)old | (first & 0xffc) | 2);
    old->header.counts[TAG_COUNT_CONNECTS] = 9;
    second = tags_claim(&tags, true);
    file = move(second);
    assert_int_equal(cookie_in(file, 3), 33);
    assert_int_equal(memory_now()->header.counts[TAG_COUNT_CONNECTS], 9);
    close(file);
    tags_release(&tags, second);
}

/* It has said that it will exchange the memory, and has not done so. */
static void who_overtakes_a_move_that_was_only_announced_makes_its_own(void **test)
{
    struct tag_memory *old = memory_now();
    uint64_t first = tags_claim(&tags, false), second;

    (void)test;
    atomic_store(&tags.claim, (uintptr_t)old | (first & 0xffc) | 2);
    second = tags_claim(&tags, true);
    assert_true(move(second) >= 0);
    assert_ptr_not_equal(memory_now(), old);
    assert_int_equal(tags_cookie(&tags, 3), 33);
    tags_release(&tags, second);
}

/* As the one before, and then a thread needed more of the old memory, which is at another address
 * since. It is not taken for the new one. */
static void what_was_mapped_after_a_move_was_announced_is_not_lost(void **test)
{
    uint64_t first = tags_claim(&tags, false), second;
    uint64_t then = atomic_load(&tags.place);
    int file;

    (void)test;
    atomic_store(&tags.claim, (then & ~0xfffull) | (first & 0xffc) | 2);
    tags_count(&tags, TAG_COUNT_CONNECTS);
    write_tag(1500, 15);
    assert_true(atomic_load(&tags.place) != then);
    second = tags_claim(&tags, true);
    file = move(second);
    assert_int_equal(cookie_in(file, 3), 33);
    assert_int_equal(cookie_in(file, 1500), 15);
    assert_int_equal(memory_now()->header.counts[TAG_COUNT_CONNECTS], 1);
    tags_release(&tags, second);
    close(file);
    for (int i = 0; i < 4;
         i++) { /* the places that are left take turns, if they are large enough */
        second = tags_claim(&tags, false);
        file = move(second);
        assert_int_equal(cookie_in(file, 1500), 15);
        tags_release(&tags, second);
        close(file);
    }
}

static void claims_are_overtaken_a_bounded_number_of_times(void **test)
{
    (void)test;
    for (int i = 0; i <= TAGS_OVERTAKEN_MAX; i++) {
        assert_true(tags_may_claim(&tags, true));
        assert_true(tags_claim(&tags, true));
    }
    assert_false(tags_may_claim(&tags, true));
}

static int connected_socket(int *ret_listener)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *ret_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*ret_listener, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(listen(*ret_listener, 1), 0);
    assert_int_equal(getsockname(*ret_listener, (struct sockaddr *)&to, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* What has a tag of before the fork and is not at its number may be a duplicate that is in use. One that
 * the parent has written after the fork, in the same millisecond even, could be of a socket of the parent's
 * alone, which writes another one when it connects that socket again. */
static void a_forked_child_takes_over_the_tags_of_what_it_may_have_inherited(void **test)
{
    enum {
        OLDER = 900,
        NEWEST = 901,
        AFTER = 902
    };
    struct tags child = {0}, grandchild = {0}, forked;
    const struct tag_memory *parents = memory_now();
    int listener, fd = connected_socket(&listener),
                  fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint64_t claim;

    (void)test;
    write_tag(fd, socket_cookie(fd));
    write_tag(fresh, socket_cookie(fresh));
    tags_write(&tags, OLDER, &(struct tags_tag){9, 7, 1, 99});
    tags_write(&tags, NEWEST, &(struct tags_tag){10, 7, 1, 100});
    assert_false(tags_inherit(&child, &(struct tags){0}));
    forked = tags;
    tags_write(&tags, AFTER, &(struct tags_tag){11, 7, 1, 100});
    assert_true(tags_inherit(&child, &forked));
    assert_true(tags_ready(&child));
    assert_int_equal(tags_cookie(&child, fd), socket_cookie(fd));
    assert_int_equal(tags_cookie(&child, fresh), 0);
    assert_int_equal(tags_cookie(&child, OLDER), 9);
    assert_int_equal(tags_cookie(&child, NEWEST), 10);
    assert_int_equal(tags_cookie(&child, AFTER), 0);
    assert_true(tags_inherit(&grandchild, &child));
    assert_true(tags_ready(&grandchild));
    assert_int_equal(tags_cookie(&grandchild, NEWEST), 10);

    tags_write(&child, OLDER, &(struct tags_tag){0});
    assert_int_equal(tags_cookie(&tags, OLDER), 9);
    claim = tags_claim(&child, false);
    tags = child; /* as if forked: its parent's memory is its own to map at */
    assert_true(move(claim) >= 0);
    assert_ptr_equal(memory_now(), parents);
    assert_int_equal(tags_cookie(&tags, fd), socket_cookie(fd));
    close(fd);
    close(fresh);
    close(listener);
}

/* As small as a program's limit of file sizes has it. */
static void begin_small(void)
{
    struct rlimit was, small;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = PLACE_FIRST;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    tags = (struct tags){0};
    assert_true(tags_ready(&tags));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
}

/* A forked child can write there, also one that is another user by now. What lies beyond the end of the memfd
 * cannot be touched: SIGBUS. */
static void what_the_memory_says_of_its_own_size_is_not_believed(void **test)
{
    enum {
        BEYOND = 5000
    };

    (void)test;
    begin_small();
    write_tag(3, 33);
    atomic_store(&memory_now()->header.slots, TAG_SLOTS_MAX);
    write_tag(BEYOND, 44);
    assert_int_equal(tags_cookie(&tags, BEYOND), 0);
    assert_true(tags_outgrown(&tags));
    atomic_store(&memory_now()->header.slots, 0);
    assert_true(move(tags_claim(&tags, false)) >= 0);
    write_tag(BEYOND, 44);
    assert_int_equal(tags_cookie(&tags, BEYOND), 44);
    assert_int_equal(tags_cookie(&tags, 3), 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(start, a_claim_is_one_threads_until_it_is_given_back),
        TEST_FROM(start, two_places_take_turns),
        TEST_FROM(start, who_was_overtaken_or_has_given_the_claim_back_does_not_move),
        TEST_FROM(start, nobody_else_is_given_its_place),
        TEST_FROM(start, who_overtakes_a_move_that_has_no_end_finishes_it),
        TEST_FROM(start, who_overtakes_a_move_that_was_only_announced_makes_its_own),
        TEST_FROM(start, what_was_mapped_after_a_move_was_announced_is_not_lost),
        TEST_FROM(start, a_forked_child_takes_over_the_tags_of_what_it_may_have_inherited),
        TEST_FROM(start, what_the_memory_says_of_its_own_size_is_not_believed),
        TEST_FROM(start, claims_are_overtaken_a_bounded_number_of_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

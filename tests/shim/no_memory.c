/* SPDX-License-Identifier: Apache-2.0
 *
 * no_memory.c - a page of the tags' memory for which there is no memory, as with vm.overcommit_memory=2:
 * who touches it gets SIGBUS. Nothing of the shim does; its tag is not written, and is once there is
 * memory.
 *
 * Here the memfd ends where memory does: what is mapped beyond its end is a SIGBUS, too.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/permit/tags.h"
#include "tests/support/test.h"

#define HERE  3   /* of the first page */
#define THERE 500 /* of one for which there is none */

static struct tags tags;
static bool is_old;     /* the kernel, before Linux 5.14 */
static off_t has_bytes; /* each new memory; -1: as many as it wants */
static int files[2];    /* the newest one first */
static off_t sizes[2];

long syscall_taken(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

/* Sealing a memory is the last that is done before it is mapped. */
static long seal(int fd)
{
    close(files[1]);
    files[1] = files[0];
    sizes[1] = sizes[0];
    files[0] = dup(fd);
    sizes[0] = lseek(fd, 0, SEEK_END);
    return has_bytes < 0 ? 0 : ftruncate(fd, has_bytes);
}

long syscall_taken(long number, long a, long b, long c, long d, long e, long f)
{
    static long (*real)(long, ...);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    if (number == SYS_fcntl && b == F_ADD_SEALS)
        return seal((int)a);
    if (number == SYS_madvise && is_old) {
        errno = EINVAL;
        return -1;
    }
    return real(number, a, b, c, d, e, f);
}

static void memory_comes(int i)
{
    assert_int_equal(ftruncate(files[i], sizes[i]), 0);
}

static bool write_tag(int fd)
{
    return tags_write(&tags, fd, &(struct tags_tag){1000u + (unsigned)fd, 7, 1, 100});
}

static bool wants(const void *arg, uint64_t endpoint)
{
    (void)arg;
    return endpoint == 8;
}

static bool move(void)
{
    uint64_t claim = tags_claim(&tags, false);
    uint32_t slots;
    int fd = tags_open(&tags, &slots);
    bool moved = tags_move(&tags, claim, fd, slots);

    tags_release(&tags, claim);
    close(fd);
    return moved;
}

static void with_one_page(void)
{
    has_bytes = 4096;
    tags = (struct tags){0};
    assert_true(tags_ready(&tags));
}

/* ---- tests ---- */

static void a_tag_for_which_there_is_no_memory_is_written_once_there_is(void **state)
{
    (void)state;
    with_one_page();
    assert_true(write_tag(HERE));
    assert_false(write_tag(THERE));
    assert_int_equal(tags_cookie(&tags, HERE), 1000 + HERE);
    assert_int_equal(tags_cookie(&tags, THERE), 0);
    assert_false(tags_any(&tags, wants, NULL));
    memory_comes(0);
    assert_true(write_tag(THERE));
    assert_int_equal(tags_cookie(&tags, THERE), 1000 + THERE);
}

static void without_memory_for_its_head_there_are_no_tags(void **state)
{
    (void)state;
    has_bytes = 0;
    tags = (struct tags){0};
    assert_false(tags_ready(&tags));
    assert_false(write_tag(HERE));
    has_bytes = -1;
    assert_true(write_tag(HERE));
}

static void before_linux_5_14_it_is_the_same(void **state)
{
    is_old = true;
    a_tag_for_which_there_is_no_memory_is_written_once_there_is(state);
    without_memory_for_its_head_there_are_no_tags(state);
    is_old = false;
}

static void tags_stay_where_they_are_until_there_is_memory_to_move_them_into(void **state)
{
    uint64_t first = 0;

    (void)state;
    with_one_page();
    assert_true(write_tag(HERE));
    memory_comes(0);
    assert_true(write_tag(THERE));
    for (int i = 0; i < 3; i++) {
        assert_false(move());
        assert_int_equal(tags_cookie(&tags, THERE), 1000 + THERE);
        assert_true(!first || first == (atomic_load(&tags.claim) & PLACE_ADDRESS));
        first = atomic_load(&tags.claim) & PLACE_ADDRESS; /* each failure leaves the same place */
    }
    has_bytes = -1;
    assert_true(move());
    assert_int_equal(tags_cookie(&tags, HERE), 1000 + HERE);
    assert_int_equal(tags_cookie(&tags, THERE), 1000 + THERE);
}

static void pages_that_were_never_had_are_passed_over_when_the_tags_move(void **state)
{
    (void)state;
    with_one_page();
    memory_comes(0);
    assert_true(write_tag(THERE));
    assert_true(write_tag(HERE));
    assert_int_equal(ftruncate(files[0], 4096), 0); /* as if it had not been written */
    has_bytes = -1;
    assert_true(move());
    assert_int_equal(tags_cookie(&tags, HERE), 1000 + HERE);
    assert_int_equal(tags_cookie(&tags, THERE), 0);
}

static void a_child_has_no_tags_until_there_is_memory_for_those_it_inherits(void **state)
{
    static struct tags child;

    (void)state;
    with_one_page();
    memory_comes(0);
    assert_true(write_tag(THERE) && write_tag(HERE));
    child = (struct tags){0};
    assert_true(tags_inherit(&child, &tags));
    assert_false(tags_ready(&child));
    has_bytes = -1;
    assert_true(tags_ready(&child));
    assert_int_equal(tags_cookie(&child, THERE), 1000 + THERE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tag_for_which_there_is_no_memory_is_written_once_there_is),
        TEST(without_memory_for_its_head_there_are_no_tags),
        TEST(before_linux_5_14_it_is_the_same),
        TEST(tags_stay_where_they_are_until_there_is_memory_to_move_them_into),
        TEST(pages_that_were_never_had_are_passed_over_when_the_tags_move),
        TEST(a_child_has_no_tags_until_there_is_memory_for_those_it_inherits),
    };

    files[0] = files[1] = -1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

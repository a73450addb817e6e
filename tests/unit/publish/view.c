/* SPDX-License-Identifier: Apache-2.0
 *
 * view.c - the memfd behind the view, from the side of somebody who was handed its descriptor.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/publish/view.h"
#include "tests/support/test.h"

static const struct view_entry an_entry = {
    .mode = VIEW_MODE_NAMES,
    .state = VIEW_STATE_STEADY,
    .family = 4,
    .port = 5432,
    .generation = 7,
    .endpoint = 1,
    .confirmed_ms = 1,
    .text4 = "10.77.0.2",
};

static int set_up(void **state)
{
    *state = view_new(3, 2, 4);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    view_free(*state);
    return 0;
}

static void *map_read_only(const struct view *view)
{
    void *base = mmap(NULL, view_bytes(view), PROT_READ, MAP_SHARED, view_fd(view), 0);
    assert_ptr_not_equal(base, MAP_FAILED);
    return base;
}

static void a_client_sees_what_is_written_after_the_hand_over(void **state)
{
    struct view *view = *state;
    void *base = map_read_only(view);
    struct view_map map;
    struct view_entry got;
    struct name name;

    assert_true(view_map_check(base, view_bytes(view), &map));
    assert_int_equal(map.instance, view_instance(view));
    assert_true(name_canonical("orders-db", &name));
    assert_int_equal(view_read(&map, &name, &got), VIEW_ABSENT);
    assert_int_equal(view_write_entry(view_writer(view), &name, &an_entry), 0);
    assert_int_equal(view_read(&map, &name, &got), VIEW_FOUND);
    assert_string_equal(got.text4, "10.77.0.2");
    munmap(base, view_bytes(view));
}

static void its_size_is_exactly_what_the_reply_says(void **state)
{
    struct view *view = *state;
    struct stat st;

    assert_int_equal(fstat(view_fd(view), &st), 0);
    assert_int_equal((uint64_t)st.st_size, view_bytes(view));
}

static void every_page_exists_before_the_hand_over(void **state)
{
    struct view *view = *state;
    struct stat st;

    assert_int_equal(fstat(view_fd(view), &st), 0);
    assert_true((uint64_t)st.st_blocks * 512 >= view_bytes(view));
}

static void it_carries_all_four_seals(void **state)
{
    int want = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

    assert_int_equal(fcntl(view_fd(*state), F_GET_SEALS) & want, want);
}

static void no_client_can_write_map_for_writing_punch_or_resize(void **state)
{
    struct view *view = *state;
    int fd = view_fd(view);
    size_t size = view_bytes(view);
    char path[64];

    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_ptr_equal(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, (off_t)size * 2), -1);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);

    /* Nor through a descriptor opened anew. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = open(path, O_RDWR | O_CLOEXEC);
    assert_true(again >= 0);
    assert_int_equal(pwrite(again, "x", 1, 0), -1);
    assert_ptr_equal(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0), MAP_FAILED);
    close(again);
}

static void a_read_only_mapping_cannot_be_made_writable(void **state)
{
    struct view *view = *state;
    void *base = map_read_only(view);

    assert_int_equal(mprotect(base, view_bytes(view), PROT_READ | PROT_WRITE), -1);
    assert_int_equal(errno, EACCES);
    munmap(base, view_bytes(view));
}

static void its_descriptor_does_not_survive_exec(void **state)
{
    assert_int_equal(fcntl(view_fd(*state), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void a_freed_view_says_in_every_mapping_that_it_is_retired(void **state)
{
    struct view *view = view_new(1, 1, 4);
    size_t size = view_bytes(view);
    void *base = map_read_only(view);
    struct view_map map;

    (void)state;
    assert_true(view_map_check(base, size, &map));
    assert_false(view_retired(&map));
    view_free(view);
    assert_true(view_retired(&map));
    munmap(base, size);
}

static void two_views_are_different_instances(void **state)
{
    struct view *other = view_new(3, 2, 4);

    assert_non_null(other);
    assert_int_not_equal(view_instance(other), 0);
    assert_int_not_equal(view_instance(other), view_instance(*state));
    view_free(other);
}

static void a_view_of_no_names_is_a_view(void **state)
{
    struct view *empty = view_new(0, 0, 4);
    struct view_map map;

    (void)state;
    assert_non_null(empty);
    void *base = map_read_only(empty);
    assert_true(view_map_check(base, view_bytes(empty), &map));
    munmap(base, view_bytes(empty));
    view_free(empty);
}

/* Sizes of files, memfds included, and descriptors. */
static void assert_none_within(int resource, rlim_t most)
{
    struct rlimit limit, small;

    assert_int_equal(getrlimit((__rlimit_resource_t)resource, &limit), 0);
    small = (struct rlimit){.rlim_cur = most, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit((__rlimit_resource_t)resource, &small), 0);
    struct view *none = view_new(10, 2, 4);
    int error = errno;
    assert_int_equal(setrlimit((__rlimit_resource_t)resource, &limit), 0);
    assert_null(none);
    assert_int_not_equal(error, 0);
}

static void a_view_that_cannot_be_had_is_an_error_and_leaves_nothing_open(void **state)
{
    int next = dup(STDIN_FILENO);

    (void)state;
    close(next);
    signal(SIGXFSZ, SIG_IGN);
    assert_none_within(RLIMIT_FSIZE, 4096);
    assert_none_within(RLIMIT_NOFILE, (rlim_t)next);
    signal(SIGXFSZ, SIG_DFL);
    int again = dup(STDIN_FILENO);
    assert_int_equal(again, next);
    close(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_sees_what_is_written_after_the_hand_over),
        TEST(its_size_is_exactly_what_the_reply_says),
        TEST(every_page_exists_before_the_hand_over),
        TEST(it_carries_all_four_seals),
        TEST(no_client_can_write_map_for_writing_punch_or_resize),
        TEST(a_read_only_mapping_cannot_be_made_writable),
        TEST(its_descriptor_does_not_survive_exec),
        TEST(a_freed_view_says_in_every_mapping_that_it_is_retired),
        TEST(two_views_are_different_instances),
        TEST(a_view_of_no_names_is_a_view),
        TEST(a_view_that_cannot_be_had_is_an_error_and_leaves_nothing_open),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * kept.c - what outlives a holder: names and what they say, and who is told what.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/sever/kept.h"
#include "tests/support/dice.h"
#include "tests/support/test.h"

/* None is open under it. */
#define NO_DESCRIPTOR 1000000

static const struct kept_permit longest = {
    .serial = UINT64_MAX,
    .netns = UINT64_MAX,
    .uid = UINT32_MAX,
    .pid = INT32_MAX,
    .started = UINT64_MAX,
    .uids = {true, true, true, UIDS_MAX, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}}};

static void the_longest_name_fits_and_says_the_same(void **state)
{
    struct kept_permit permit;
    struct kept_netlink netlink;
    char name[KEEP_NAME_SIZE];

    (void)state;
    keep_permit_name(&longest, name);
    assert_in_range(strlen(name), 1, KEEP_NAME_SIZE - 2);
    assert_null(strchr(name, ':')); /* the service manager's own separator */
    memset(&permit, 0xaa, sizeof(permit));
    assert_true(keep_permit_parse(name, &permit));
    assert_int_equal(permit.serial, longest.serial);
    assert_int_equal(permit.netns, longest.netns);
    assert_int_equal(permit.uid, longest.uid);
    assert_int_equal(permit.pid, longest.pid);
    assert_int_equal(permit.started, longest.started);
    assert_memory_equal(&permit.uids, &longest.uids, sizeof(permit.uids));
    assert_false(keep_netlink_parse(name, &netlink));
    keep_netlink_name(&(struct kept_netlink){7, 65534}, name);
    assert_true(keep_netlink_parse(name, &netlink));
    assert_int_equal(netlink.serial, 7);
    assert_int_equal(netlink.uid, 65534);
}

static void other_names_are_nobodys(void **state)
{
    static const char *const names[] = {"",
                                        "stored",
                                        "permit-",
                                        "permit-1-2-3-4-5",
                                        "permit-0-2-3-4-5-1-0",
                                        "permit-1-2-3-4-5-1",
                                        "permit-1-2-3-4-5-1-0-0-0-0-0",
                                        "permit-1-2-3-4-5-1-0,0",
                                        "netlink-1",
                                        "netlink-0-1",
                                        "netlink-1-2-3",
                                        "netlink-1-2 "};
    struct kept_permit permit;
    struct kept_netlink netlink;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_false(keep_permit_parse(names[i], &permit));
        assert_false(keep_netlink_parse(names[i], &netlink));
    }
}

/* A stand-in for the service manager's socket. */
static int listen_as_manager(char path[64])
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(path, 64, "/tmp/homing-kept-%d", (int)getpid());
    strcpy(at.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

static void assert_told(int manager, const char *text, uint32_t fds)
{
    struct rights rights = {.count = 0};
    char got[KEEP_MESSAGE] = "";

    assert_true(rights_receive(manager, got, sizeof(got) - 1, MSG_DONTWAIT, &rights) > 0);
    assert_string_equal(got, text);
    assert_int_equal(rights.count, fds);
    while (rights.count > 0)
        close(rights.fds[--rights.count]);
}

static void what_the_holder_gives_is_kept_and_told_until_it_is_let_go(void **state)
{
    struct kept kept = {0};
    char path[64];
    int pair[2], manager = listen_as_manager(path);
    int given[2] = {open("/dev/null", O_RDONLY), open("/dev/null", O_RDONLY)};

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_true(keep_put(pair[0], "one", given, 2));
    assert_true(keep_put(pair[0], "other", given, 1));
    assert_false(kept_receive(&kept, pair[1]));
    assert_int_equal(kept.count, 2);
    (void)kept_tell(&kept, UINT32_MAX);
    assert_told(manager, "FDSTORE=1\nFDPOLL=0\nFDNAME=other", 1);
    assert_told(manager, "FDSTORE=1\nFDPOLL=0\nFDNAME=one", 2);
    (void)kept_tell(&kept, UINT32_MAX);
    assert_int_equal(recv(manager, path, 1, MSG_DONTWAIT), -1);
    int copy = kept.entries[0].fds[1];
    keep_remove(pair[0], "one");
    keep_remove(pair[0], "nobody");
    assert_false(kept_receive(&kept, pair[1]));
    assert_int_equal(fcntl(copy, F_GETFD), -1);
    (void)kept_tell(&kept, UINT32_MAX);
    assert_told(manager, "FDSTOREREMOVE=1\nFDNAME=one", 0);
    assert_int_equal(kept.count, 1);
    assert_string_equal(kept.entries[0].name, "other");
    kept_let_go(&kept);
    (void)kept_tell(&kept, UINT32_MAX);
    assert_told(manager, "FDSTOREREMOVE=1\nFDNAME=other", 0);
    assert_int_equal(kept.count, 0);
    kept_forget(&kept);
    unlink(path);
    for (int i = 0; i < 2; i++)
        close(pair[i]), close(given[i]);
    close(manager);
}

/* 1,024 descriptors are usual. */
static void raise_limit(void)
{
    struct rlimit files;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static void add_netlink(struct kept *kept, uint64_t serial, uid_t uid, int fd)
{
    char name[KEEP_NAME_SIZE];

    keep_netlink_name(&(struct kept_netlink){serial, uid}, name);
    kept_add(kept, name, (int[]){fcntl(fd, F_DUPFD_CLOEXEC, 0)}, 1);
}

static void add_permit(struct kept *kept, struct kept_permit permit, int fd)
{
    int fds[2] = {fcntl(fd, F_DUPFD_CLOEXEC, 0), fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    char name[KEEP_NAME_SIZE];

    keep_permit_name(&permit, name);
    kept_add(kept, name, fds, 2);
}

/* How many messages. */
static uint32_t drain(int manager)
{
    char bytes[KEEP_MESSAGE];
    uint32_t n = 0;

    while (recv(manager, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        n++;
    return n;
}

static void tell_all(struct kept *kept, int manager)
{
    while (kept_tell(kept, UINT32_MAX))
        (void)drain(manager);
}

static void what_the_manager_does_not_take_now_is_told_later(void **state)
{
    struct kept kept = {0};
    char path[64];
    uint32_t filled = 0;
    int manager = listen_as_manager(path), fd = open("/dev/null", O_RDONLY);

    (void)state;
    raise_limit();
    for (uint32_t i = 0; i < 1000; i++) {
        add_netlink(&kept, i + 1, i, fd);
        (void)kept_tell(&kept, UINT32_MAX);
    }
    assert_in_range(kept.untold, 1, 999);
    for (int rounds = 0; kept.untold && rounds < 1000; rounds++) {
        filled += drain(manager);
        (void)kept_tell(&kept, UINT32_MAX);
    }
    assert_int_equal(filled + drain(manager), 1000);
    kept_let_go(&kept);
    kept_forget(&kept);
    unlink(path);
    close(fd), close(manager);
}

enum {
    ALICE = 1001,
    BOB = 1002,
    CAROL = 1003
};

static struct kept_permit permit_of(uid_t uid, uint64_t serial)
{
    return (struct kept_permit){.serial = serial, .netns = 1, .uid = uid, .pid = 4194304};
}

/* What would be in LISTEN_FDNAMES. */
static size_t names_stored(const struct kept *kept)
{
    size_t len = 0;

    for (uint32_t i = 0; i < kept->count; i++)
        if (kept->entries[i].state != KEPT_HERE)
            len += kept->entries[i].count * (strlen(kept->entries[i].name) + 1);
    return len;
}

static void the_names_at_the_manager_fit_into_one_environment_string(void **state)
{
    struct kept kept = {0};
    struct kept_permit permit = longest;
    char path[64];
    int manager = listen_as_manager(path), fd = open("/dev/null", O_RDONLY);

    (void)state;
    for (uint64_t i = 1; i <= 1500; i++) {
        permit.serial = UINT64_MAX - i;
        permit.uid = UINT32_MAX - (uint32_t)i % 16;
        add_permit(&kept, permit, fd);
    }
    tell_all(&kept, manager);
    assert_int_equal(kept.count, 1500); /* they are all kept here */
    assert_in_range(names_stored(&kept), KEPT_STORE_MAX / 2, KEPT_STORE_MAX);
    kept_let_go(&kept);
    tell_all(&kept, manager);
    assert_int_equal(kept.count, 0);
    assert_int_equal(kept.cost, 0);
    kept_forget(&kept);
    unlink(path);
    close(fd), close(manager);
}

static void users_share_what_the_manager_has_room_for(void **state)
{
    struct kept kept = {0};
    char path[64], name[KEEP_NAME_SIZE];
    int manager = listen_as_manager(path), fd = open("/dev/null", O_RDONLY);

    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        add_permit(&kept, permit_of(ALICE, i), fd);
    tell_all(&kept, manager);
    assert_int_equal(kept.stored, 256);
    for (uint64_t i = 1; i <= 1000; i++)
        add_permit(&kept, permit_of(BOB, 1000 + i), fd);
    tell_all(&kept, manager);
    assert_int_equal(kept.stored, 256 + 128);
    for (uint64_t i = 1; i <= 20; i++)
        add_permit(&kept, permit_of(CAROL, 2000 + i), fd);
    tell_all(&kept, manager);
    assert_int_equal(kept.stored, 256 + 128 + 20);
    for (uint32_t i = kept.count; i > 0; i--) { /* who is gone makes room */
        struct kept_permit permit;
        snprintf(name, sizeof(name), "%s", kept.entries[i - 1].name);
        if (!keep_permit_parse(name, &permit) || permit.uid != ALICE)
            continue;
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        assert_true(keep_remove(pair[0], name));
        (void)kept_receive(&kept, pair[1]);
        close(pair[0]), close(pair[1]);
    }
    tell_all(&kept, manager);
    assert_int_equal(kept.stored, (512 - 20) / 2 + 20);
    kept_let_go(&kept);
    kept_forget(&kept);
    unlink(path);
    close(fd), close(manager);
}

static void no_more_than_allowed_is_told_at_once(void **state)
{
    struct kept kept = {0};
    char path[64];
    int manager = listen_as_manager(path), fd = open("/dev/null", O_RDONLY);

    (void)state;
    for (uint64_t i = 1; i <= 9; i++)
        add_permit(&kept, permit_of(ALICE, i), fd);
    assert_int_equal(kept_tell(&kept, 0), 0);
    assert_int_equal(kept_tell(&kept, 4), 4);
    assert_int_equal(drain(manager), 4);
    assert_int_equal(kept_tell(&kept, 8), 5);
    assert_int_equal(drain(manager), 5);
    add_permit(&kept, permit_of(ALICE, 10), fd);
    kept_let_go(&kept); /* the manager has never heard of the tenth */
    assert_int_equal(kept_tell(&kept, UINT32_MAX), 9);
    kept_forget(&kept);
    unlink(path);
    close(fd), close(manager);
}

static void nobody_waits_for_as_long_as_others_come(void **state)
{
    struct kept kept = {0};
    char path[64];
    int manager = listen_as_manager(path), fd = open("/dev/null", O_RDONLY);

    (void)state;
    for (uint64_t i = 1; i <= 80; i++) {
        add_permit(&kept, permit_of(ALICE, i), fd);
        if (i > 4)
            assert_int_equal(kept_tell(&kept, 1), 1);
        (void)drain(manager);
    }
    assert_int_equal(kept.untold, 4);
    assert_int_equal(kept.entries[0].state, KEPT_TOLD);
    kept_let_go(&kept);
    kept_forget(&kept);
    unlink(path);
    close(fd), close(manager);
}

static void without_a_manager_all_is_kept_here(void **state)
{
    struct kept kept = {0};
    int fd = open("/dev/null", O_RDONLY);

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    add_permit(&kept, permit_of(ALICE, 1), fd);
    assert_int_equal(kept_tell(&kept, UINT32_MAX), 0);
    assert_int_equal(kept.count, 1);
    assert_int_equal(kept.stored, 0);
    kept_let_go(&kept);
    assert_int_equal(kept.count, 0);
    kept_forget(&kept);
    close(fd);
}

/* Where a walk through all finds it. */
static const struct kept_entry *walk_to(const struct kept *kept, const char *name)
{
    for (uint32_t i = 0; i < kept->count; i++)
        if (strcmp(kept->entries[i].name, name) == 0)
            return &kept->entries[i];
    return NULL;
}

/* Thousands come and go, so that many are in one chain, and the last entry often takes the place of another. */
static void what_is_kept_is_found_where_a_walk_finds_it(void **state)
{
    struct kept kept = {0};
    int pair[2];
    uint64_t dice = 1;
    char name[KEEP_NAME_SIZE];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i < 40000; i++) {
        keep_netlink_name(&(struct kept_netlink){1 + dice_roll(&dice, 9000), 1000}, name);
        assert_ptr_equal(kept_find(&kept, name), walk_to(&kept, name));
        if (!kept_find(&kept, name)) {
            kept_add(&kept, name, (const int[]){NO_DESCRIPTOR}, 1);
        } else {
            assert_true(keep_remove(pair[0], name));
            (void)kept_receive(&kept, pair[1]);
            assert_null(kept_find(&kept, name));
        }
    }
    assert_in_range(kept.count, 1000, 9000);
    kept_let_go(&kept);
    assert_int_equal(kept.count, 0);
    assert_null(kept_find(&kept, name));
    kept_forget(&kept);
    close(pair[0]), close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_longest_name_fits_and_says_the_same),
        TEST(other_names_are_nobodys),
        TEST(what_the_holder_gives_is_kept_and_told_until_it_is_let_go),
        TEST(what_the_manager_does_not_take_now_is_told_later),
        TEST(the_names_at_the_manager_fit_into_one_environment_string),
        TEST(users_share_what_the_manager_has_room_for),
        TEST(no_more_than_allowed_is_told_at_once),
        TEST(nobody_waits_for_as_long_as_others_come),
        TEST(without_a_manager_all_is_kept_here),
        TEST(what_is_kept_is_found_where_a_walk_finds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

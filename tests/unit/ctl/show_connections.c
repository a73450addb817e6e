/* SPDX-License-Identifier: Apache-2.0
 *
 * show_connections.c - homingctl's list of connections, from the agent's answers.
 */
#include "config.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/ctl/show_rig.h"

static void put_connection(const char *command, bool outdated, unsigned port)
{
    msg_open_map(&writer);
    msg_put_key_uint(&writer, "pid", 4711);
    msg_put_key_uint(&writer, "uid", 1000);
    msg_put_key_str(&writer, "command", command);
    msg_put_key_str(&writer, "endpoint", "orders-db");
    msg_put_key_str(&writer, "member", outdated ? "db-a:5432" : NULL);
    msg_put_key_str(&writer, "address", "10.0.0.9");
    msg_put_key_uint(&writer, "port", port);
    msg_put_key_bool(&writer, "outdated", outdated);
    msg_put_key_bool(&writer, "mptcp", outdated);
    msg_close(&writer);
}

static void
outdated_connections_are_shown_first_and_no_byte_of_a_programs_name_is_trusted(void **state)
{
    (void)state;
    msg_open_map(&writer);
    msg_put_key_bool(&writer, "partial", false);
    msg_put_str(&writer, "connections");
    msg_put_array(&writer, 2);
    put_connection("\033[2Jx", false, 0);
    put_connection("old", true, 5432);
    msg_close(&writer);
    assert_true(show_connections(&show, result()));
    assert_null(strstr(shown(), "\033"));
    assert_non_null(strstr(shown(), "10.0.0.9 port 0"));
    assert_true(strstr(shown(), "outdated  MPTCP: notices late\n") < strstr(shown(), "?[2Jx"));
}

static void put_untagged(uint32_t inode)
{
    msg_open_map(&writer);
    msg_put_key_uint(&writer, "pid", 0);
    msg_put_key_uint(&writer, "uid", 1000);
    msg_put_key_str(&writer, "member", "db-a:5432");
    msg_put_key_str(&writer, "address", "10.0.0.9");
    msg_put_key_uint(&writer, "port", 5432);
    msg_put_key_uint(&writer, "inode", inode);
    msg_close(&writer);
}

static void who_has_a_connection_without_a_tag_is_found_in_proc(void **state)
{
    char line[32];
    struct stat own;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(fstat(fd, &own), 0);
    msg_open_map(&writer);
    msg_put_key_bool(&writer, "partial", false);
    msg_put_str(&writer, "connections");
    msg_put_array(&writer, 0);
    msg_put_str(&writer, "untagged");
    msg_put_array(&writer, 2);
    put_untagged((uint32_t)own.st_ino);
    put_untagged(1); /* nobody's */
    msg_close(&writer);
    assert_true(show_connections(&show, result()));
    snprintf(line, sizeof(line), "%-8d 1000 ", (int)getpid());
    assert_non_null(strstr(shown(), line));
    assert_non_null(strstr(shown(), "untagged: without homing\n"));
    assert_non_null(strstr(shown(), "\n0        1000 "));
    close(fd);
}

/* What maps a file of the library's name counts as having loaded it. */
struct loaded {
    char path[64];
    int file;
    void *mapped;
};

static void load(struct loaded *l)
{
    strcpy(l->path, "/tmp/homing-show.XXXXXX");
    assert_non_null(mkdtemp(l->path));
    strcat(l->path, "/libhoming.so");
    l->file = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(l->file, 4096), 0);
    l->mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, l->file, 0);
    assert_ptr_not_equal(l->mapped, MAP_FAILED);
}

static void unload(struct loaded *l)
{
    unlink(l->path);
    *strrchr(l->path, '/') = '\0';
    rmdir(l->path);
    munmap(l->mapped, 4096);
    close(l->file);
}

/* As while homing-sever hangs: nothing is wrong with the program. */
static void what_homing_sever_did_not_list_is_not_said_to_have_lost_anything(void **state)
{
    struct stat own;
    struct loaded loaded;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    load(&loaded);
    assert_int_equal(fstat(fd, &own), 0);
    msg_open_map(&writer);
    msg_put_key_bool(&writer, "partial", true);
    msg_put_str(&writer, "untagged");
    msg_put_array(&writer, 1);
    put_untagged((uint32_t)own.st_ino);
    msg_close(&writer);
    assert_false(show_connections(&show, result()));
    unload(&loaded);
    close(fd);
    assert_non_null(strstr(shown(), "untagged: not told: homing-sever has not listed all,"));
}

static void a_connection_whose_tag_was_lost_with_the_permit_says_so(void **state)
{
    struct stat own;
    struct loaded loaded;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    load(&loaded);
    assert_int_equal(fstat(fd, &own), 0);
    msg_open_map(&writer);
    msg_put_key_bool(&writer, "partial", false);
    msg_put_str(&writer, "untagged");
    msg_put_array(&writer, 1);
    put_untagged((uint32_t)own.st_ino);
    msg_put_str(&writer, "lost_pids");
    msg_put_array(&writer, 2);
    msg_put_uint(&writer, 1);
    msg_put_uint(&writer, (uint64_t)getpid());
    msg_close(&writer);
    (void)show_connections(&show, result());
    unload(&loaded);
    close(fd);
    assert_non_null(strstr(shown(), "untagged: its permit was lost, see permits_lost in status\n"));
}

/* This process' own connection, over IPv6 to an IPv4 address as Java's are. Returns the port that it leads to. */
static uint16_t connect_mapped(int *ret_listening, int *ret_connected)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 to = {.sin6_family = AF_INET6};
    socklen_t len = sizeof(at);

    *ret_listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *ret_connected = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*ret_listening, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(*ret_listening, 1), 0);
    assert_int_equal(getsockname(*ret_listening, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr), 1);
    to.sin6_port = at.sin_port;
    assert_int_equal(connect(*ret_connected, (struct sockaddr *)&to, sizeof(to)), 0);
    return ntohs(at.sin_port);
}

/* `pid`: whose network namespace homing-sever has listed. */
static void put_listing(uint64_t pid, uint16_t port)
{
    msg_open_map(&writer);
    msg_put_key_bool(&writer, "partial", false);
    msg_put_str(&writer, "listed_pids");
    msg_put_array(&writer, 1);
    msg_put_uint(&writer, pid);
    msg_put_str(&writer, "addresses");
    msg_put_array(&writer, 1);
    msg_put_array(&writer, 3);
    msg_put_str(&writer, "127.0.0.1");
    msg_put_uint(&writer, port);
    msg_put_str(&writer, "db-a:7");
    msg_close(&writer);
}

static void show_own_connection(bool listed, bool loads)
{
    struct loaded loaded;
    int listening, connected;

    put_listing(listed ? (uint64_t)getpid() : INT32_MAX, connect_mapped(&listening, &connected));
    if (loads)
        load(&loaded);
    assert_true(show_connections(&show, result()));
    if (loads)
        unload(&loaded);
    close(connected);
    close(listening);
}

static void a_connection_where_nobody_has_handed_over_is_found_in_proc(void **state)
{
    char line[32];

    (void)state;
    show_own_connection(false, true);
    snprintf(line, sizeof(line), "%-8d %-8u ", (int)getpid(), (unsigned)getuid());
    assert_non_null(strstr(shown(), line));
    assert_non_null(strstr(shown(), "db-a:7 port "));
    assert_non_null(strstr(shown(), "untagged: no call since homing looks"));
}

static void one_is_not_looked_for_where_homing_sever_lists(void **state)
{
    (void)state;
    show_own_connection(true, true);
    assert_string_equal(shown(), "no connections\n");
}

static void one_of_a_program_without_the_library_is_not_told(void **state)
{
    (void)state;
    show_own_connection(false, false);
    assert_string_equal(shown(), "no connections\n");
}

static void a_connection_at_another_port_than_its_members_is_shown_with_it(void **state)
{
    (void)state;
    msg_open_map(&writer);
    msg_put_key_bool(&writer, "partial", false);
    msg_put_str(&writer, "connections");
    msg_put_array(&writer, 2);
    put_connection("pooled", true, 6432);
    put_connection("direct", true, 5432);
    msg_close(&writer);
    assert_true(show_connections(&show, result()));
    assert_non_null(strstr(shown(), "db-a:5432 port 6432 "));
    assert_null(strstr(shown(), "port 5432"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig,
                outdated_connections_are_shown_first_and_no_byte_of_a_programs_name_is_trusted),
        TEST_IN(rig, who_has_a_connection_without_a_tag_is_found_in_proc),
        TEST_IN(rig, what_homing_sever_did_not_list_is_not_said_to_have_lost_anything),
        TEST_IN(rig, a_connection_whose_tag_was_lost_with_the_permit_says_so),
        TEST_IN(rig, a_connection_at_another_port_than_its_members_is_shown_with_it),
        TEST_IN(rig, a_connection_where_nobody_has_handed_over_is_found_in_proc),
        TEST_IN(rig, one_is_not_looked_for_where_homing_sever_lists),
        TEST_IN(rig, one_of_a_program_without_the_library_is_not_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

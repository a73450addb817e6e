/* SPDX-License-Identifier: Apache-2.0
 *
 * show_connections.c - homingctl's list of connections, from the agent's answers.
 */
#include "config.h"

#include <fcntl.h>
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
static void a_connection_whose_tag_was_lost_with_the_permit_says_so(void **state)
{
    char path[64] = "/tmp/homing-show.XXXXXX";
    struct stat own;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), file;

    (void)state;
    assert_non_null(mkdtemp(path));
    strcat(path, "/libhoming.so");
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(file, 4096), 0);
    void *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    assert_ptr_not_equal(mapped, MAP_FAILED);
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
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    munmap(mapped, 4096);
    close(file);
    close(fd);
    assert_non_null(strstr(shown(), "untagged: its permit was lost, see permits_lost in status\n"));
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
        TEST_IN(rig, a_connection_whose_tag_was_lost_with_the_permit_says_so),
        TEST_IN(rig, a_connection_at_another_port_than_its_members_is_shown_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * serve_rig.h - a server on real sockets in a directory of its own, the real loop, and clients in
 * the same process, for tests of agent/publish/serve.
 *
 * It answers: "ping" [] → "pong"; "whoami" [] → {pid, uid, gid}; "fd" [] → true, with a
 * descriptor; "big" [n] → binary of n bytes; "nothing" [] → no reply at all (a bug it must
 * survive); "later" [] → true, once "now" [] → true is asked by another client; "watch" [] → true;
 * "notify" [n] → true, after a notification with n bytes to all watchers.
 */
#ifndef HOMING_TESTS_SUPPORT_SERVE_RIG_H
#define HOMING_TESTS_SUPPORT_SERVE_RIG_H

#include "agent/serve/serve.h"
#include "tests/support/folder.h"

struct serve_rig {
    struct loop *loop;
    struct serve *serve;
    char base[FOLDER_SIZE]; /* a fresh directory, gone with serve_rig_done() */
    char run_dir[160];      /* in it */
    char error[512];
    uint32_t calls;          /* of serve_fn */
    struct serve_peer later; /* who waits for the reply to "later" */
    uint32_t later_id;
};

void serve_rig_init(struct serve_rig *rig); /* fails the test on error */
void serve_rig_done(struct serve_rig *rig);

/* serve_open() and serve_publish(), as a test that wants a server. */
void serve_rig_start(struct serve_rig *rig);
/* serve_open() alone; for second servers. */
int serve_rig_open(struct serve_rig *rig, bool takeover, struct serve **ret_serve);

/* For cmocka: a started rig around each test. */
int serve_rig_setup(void **state);
int serve_rig_teardown(void **state);

/* "<run_dir>/agent.sock" or "<run_dir>-admin/admin.sock"; static storage, by turns. */
const char *serve_rig_path(const struct serve_rig *rig, enum serve_socket socket);
const char *serve_rig_dir(const struct serve_rig *rig, enum serve_socket socket);

/* A connected, non-blocking client. */
int serve_rig_connect(const struct serve_rig *rig, enum serve_socket socket);
int serve_rig_try_connect(const struct serve_rig *rig, enum serve_socket socket); /* or -errno */
void serve_rig_send(int fd, const void *data, size_t len); /* all of it, or the test fails */
void serve_rig_request(int fd, uint32_t id, const char *method, uint32_t n);

/* Runs the loop until there is something to read at fd; 30 s without fail the test. */
void serve_rig_await(struct serve_rig *rig, int fd);
/* Runs the loop and reads one whole message as JSON; "" if the connection ended. Static storage.
 * *ret_fd, if not NULL: a descriptor that came along, or -1. */
const char *serve_rig_receive(struct serve_rig *rig, int fd, int *ret_fd);
/* Both at once. */
const char *serve_rig_ask(struct serve_rig *rig, int fd, uint32_t id, const char *method);
/* Whether the server closes the connection without saying more. */
bool serve_rig_ends(struct serve_rig *rig, int fd);

/* Descriptors that this process has open. */
int serve_rig_count_fds(void);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.c - as wire.h says: frames packets, and hands each to login.c or result.c.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/probe/mysql/wire.h"

enum {
    COMMAND_QUIT = 1,
    COMMAND_QUERY = 3,
};

/* Most of what is to be sent: a question with its head, after anything else. */
#define OUT_MAX (2 * MYSQL_QUESTION_MAX)

void wire_fail(struct wire *w, enum mysql_fault fault, const char *text)
{
    if (w->state == WIRE_FAILED)
        return;
    mysql_failure_set(&w->failure, fault, "%s", text);
    w->state = WIRE_FAILED;
}

bool wire_init(struct wire *w, const struct wire_settings *settings)
{
    *w = (struct wire){.state = WIRE_GREETING};
    w->user = strdup(settings->user ? settings->user : "");
    w->password = strdup(settings->password ? settings->password : "");
    w->login = (struct login){.user = w->user,
                              .password = w->password,
                              .tls = settings->tls,
                              .strange = settings->strange,
                              .failure = &w->failure};
    return w->user && w->password;
}

static void forget_password(struct wire *w)
{
    if (w->password)
        explicit_bzero(w->password, strlen(w->password));
    free(w->password);
    w->login.password = w->password = NULL;
}

void wire_done(struct wire *w)
{
    forget_password(w);
    free(w->user);
    result_free(&w->result);
    bytes_free(&w->in);
    bytes_wipe(&w->out);
    bytes_free(&w->out);
    bytes_wipe(&w->said);
    bytes_free(&w->said);
}

/* Sending. */

/* What is in `said` becomes a packet. */
static void send_packet(struct wire *w)
{
    size_t n = w->said.count;
    const uint8_t head[PACKET_HEAD] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16),
                                       w->sequence++};

    if (!bytes_add(&w->out, head, sizeof(head), OUT_MAX) ||
        !bytes_add(&w->out, w->said.data, n, OUT_MAX))
        wire_fail(w, MYSQL_FAULT_LOCAL, "out of memory");
    bytes_wipe(&w->said);
}

static void send_command(struct wire *w, uint8_t command, const char *text)
{
    w->sequence = 0;
    if (bytes_add(&w->said, &command, 1, OUT_MAX) &&
        bytes_add(&w->said, text, strlen(text), MYSQL_QUESTION_MAX + 1))
        send_packet(w);
    else
        wire_fail(w, MYSQL_FAULT_LOCAL, "the question is too long, or there is no memory for it");
}

void wire_ask(struct wire *w, const char *question)
{
    result_begin(&w->result);
    w->state = WIRE_BUSY;
    send_command(w, COMMAND_QUERY, question);
}

void wire_leave(struct wire *w)
{
    send_command(w, COMMAND_QUIT, "");
}

/* Receiving. */

static void introduce(struct wire *w)
{
    w->state = WIRE_LOGIN;
    if (login_introduce(&w->login, &w->said))
        send_packet(w);
    else
        w->state = WIRE_FAILED;
}

void wire_encrypted(struct wire *w)
{
    introduce(w);
}

static void take_greeting(struct wire *w, const uint8_t *payload, size_t count)
{
    bool good = login_greeting(&w->login, payload, count);

    if (good && w->login.tls == TLS_OFF) {
        introduce(w);
    } else if (good && login_ask_tls(&w->login, &w->said)) {
        w->state = WIRE_TLS;
        send_packet(w);
    } else {
        w->state = WIRE_FAILED;
    }
}

static void take_login(struct wire *w, const uint8_t *payload, size_t count)
{
    bool done = false, reply = false;

    if (!login_take(&w->login, payload, count, &done, &reply, &w->said)) {
        w->state = WIRE_FAILED;
    } else if (reply) {
        send_packet(w);
    } else if (done) {
        forget_password(w);
        w->failure.stage = MYSQL_STAGE_SESSION;
        w->state = WIRE_READY;
    }
}

static void take_answer(struct wire *w, const uint8_t *payload, size_t count)
{
    switch (result_take(&w->result, payload, count)) {
    case RESULT_MORE:
        break;
    case RESULT_DONE:
        w->state = WIRE_READY;
        break;
    case RESULT_NONSENSE:
        wire_fail(w, MYSQL_FAULT_PROTOCOL, "the server does not answer as a MySQL server does");
        break;
    case RESULT_TOO_MUCH:
        wire_fail(w, MYSQL_FAULT_PROTOCOL, "the server answers more than was asked for");
        break;
    case RESULT_FILE:
        wire_fail(w, MYSQL_FAULT_PROTOCOL,
                  "the server asks for a file of this host (LOCAL INFILE): it gets none");
        break;
    case RESULT_NO_MEMORY:
        wire_fail(w, MYSQL_FAULT_LOCAL, "out of memory");
        break;
    }
}

/* Only why it ends the session may come unasked. */
static void take_unasked(struct wire *w, const uint8_t *payload, size_t count)
{
    if (count > 0 && *payload == PACKET_ERROR) {
        mysql_failure_said(&w->failure, payload, count);
        w->state = WIRE_FAILED;
    } else {
        wire_fail(w, MYSQL_FAULT_PROTOCOL, "the server answers what was not asked");
    }
}

static void take_packet(struct wire *w, const uint8_t *payload, size_t count)
{
    switch (w->state) {
    case WIRE_GREETING:
        take_greeting(w, payload, count);
        break;
    case WIRE_TLS:
        /* Somebody on the way may have put it there, to be taken for what came inside of TLS. */
        wire_fail(w, MYSQL_FAULT_TLS, "the server goes on in clear where TLS begins");
        break;
    case WIRE_LOGIN:
        take_login(w, payload, count);
        break;
    case WIRE_READY:
        take_unasked(w, payload, count);
        break;
    case WIRE_BUSY:
        take_answer(w, payload, count);
        break;
    case WIRE_FAILED:
        break;
    }
}

/* A packet whose number is not due: only a farewell may have that. */
static void take_out_of_sequence(struct wire *w, const uint8_t *payload, size_t count)
{
    bool farewell = count > 0 && *payload == PACKET_ERROR;

    if (farewell && (w->state == WIRE_READY || w->state == WIRE_BUSY))
        take_unasked(w, payload, count);
    else
        wire_fail(w, MYSQL_FAULT_PROTOCOL, "packets of the server are missing, or not for us");
}

/* The packet that begins at `at`: how many bytes it has; 0: they are not all there, or the session
 * has failed. */
static size_t take_one(struct wire *w, const uint8_t *at, size_t left)
{
    if (left < PACKET_HEAD)
        return 0;
    size_t count = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16;
    if (count > PACKET_MAX) {
        wire_fail(w, MYSQL_FAULT_PROTOCOL,
                  w->state == WIRE_GREETING
                      ? "what answers there is no MySQL server: look who is at this port"
                      : "the server answers more than was asked for");
        return 0;
    }
    if (left < PACKET_HEAD + count)
        return 0;
    if (at[3] != w->sequence) {
        take_out_of_sequence(w, at + PACKET_HEAD, count);
        return 0;
    }
    w->sequence++;
    take_packet(w, at + PACKET_HEAD, count);
    return PACKET_HEAD + count;
}

void wire_take(struct wire *w, const uint8_t *bytes, size_t count)
{
    size_t at = 0, taken = 1;

    if (w->state == WIRE_FAILED)
        return;
    if (!bytes_add(&w->in, bytes, count, PACKET_HEAD + PACKET_MAX + count)) {
        wire_fail(w, MYSQL_FAULT_LOCAL, "out of memory");
        return;
    }
    while (taken > 0 && w->state != WIRE_FAILED) {
        taken = take_one(w, w->in.data + at, w->in.count - at);
        at += taken;
    }
    bytes_drop(&w->in, at);
    if (w->state == WIRE_TLS && w->in.count > 0)
        wire_fail(w, MYSQL_FAULT_TLS, "the server goes on in clear where TLS begins");
    if (w->in.count == 0)
        bytes_clear(&w->in);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_wire.c - what a hostile MySQL server says. The first byte of the input chooses whether TLS is
 * required, whether the server is a strange one, whether it may skip the login, and whether sequence
 * numbers are put right (or nearly every input would end at its second packet); the second one, how
 * many bytes arrive at a time. Whatever is said, what is kept is bounded, answers hold what they say,
 * and the password is not told in clear.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/mysql/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CHOICE_TLS = 3, /* a mode, or 3: none */
    CHOICE_STRANGE = 4,
    CHOICE_LOGGED_IN = 8,
    CHOICE_SEQUENCE = 16,
};

/* No way to log in that we know makes this of it. */
#define PASSWORD "correct horse battery staple"

struct world {
    struct wire wire;
    uint8_t choice;
    bool encrypted;
};

static void must(bool good)
{
    if (!good)
        abort();
}

static void look_at_text(const char *text, size_t size)
{
    must(strnlen(text, size) < size);
    for (const char *c = text; *c != '\0'; c++)
        must((unsigned char)*c >= ' ' && *c != 0x7f);
}

/* Every byte of an answer is read, so that one that is not there is found. */
static void look_at_answer(const struct mysql_answer *a)
{
    size_t all = 0;

    look_at_text(a->error.text, sizeof(a->error.text));
    must(a->columns <= MYSQL_COLUMNS_MAX && a->rows <= MYSQL_ROWS_MAX);
    must(a->error.code == 0 || (a->columns == 0 && a->rows == 0));
    for (uint32_t i = 0; i < a->columns; i++)
        all += strlen(a->names[i]);
    for (size_t i = 0; i < (size_t)a->rows * a->columns; i++) {
        const struct mysql_value *v = &a->values[i];
        must(v->text ? v->text[v->length] == '\0' : v->length == 0);
        for (uint32_t k = 0; v->text && k < v->length; k++)
            all += v->text[k] != '\0';
    }
    must(all <= MYSQL_ANSWER_MAX);
}

static void look_at(const struct world *w)
{
    const struct wire *wire = &w->wire;
    bool tls = wire->login.tls != TLS_OFF;

    must(wire->in.count < PACKET_HEAD + PACKET_MAX + 256 && wire->said.count == 0);
    must(wire->result.text.count <= MYSQL_ANSWER_MAX);
    must(w->encrypted || !tls || wire->out.count <= PACKET_HEAD + 32 || wire->state >= WIRE_READY);
    must((wire->state == WIRE_FAILED) == (wire->failure.fault != MYSQL_FAULT_NONE));
    if (wire->state == WIRE_FAILED)
        look_at_text(wire->failure.error.text, sizeof(wire->failure.error.text));
    if (wire->state == WIRE_READY)
        look_at_answer(&wire->result.answer);
    if (wire->out.count > 0 && memmem(wire->out.data, wire->out.count, PASSWORD, strlen(PASSWORD)))
        must(w->encrypted && (!wire->login.strange || wire->login.tls == TLS_VERIFY_FULL));
}

/* What the one above would do. */
static void go_on(struct world *w)
{
    look_at(w);
    if (w->wire.state == WIRE_TLS) {
        bytes_clear(&w->wire.out);
        w->encrypted = true;
        wire_encrypted(&w->wire);
        look_at(w);
    }
    bytes_clear(&w->wire.out);
    if (w->wire.state == WIRE_READY)
        wire_ask(&w->wire, "SELECT 1");
}

static void play(struct world *w, const uint8_t *data, size_t size, size_t step)
{
    while (size > 0 && w->wire.state != WIRE_FAILED) {
        size_t n = step < size ? step : size;
        if (w->choice & CHOICE_SEQUENCE && w->wire.in.count > 3)
            w->wire.sequence = w->wire.in.data[3];
        /* The rest: at least up to a packet's end, its head in one piece. */
        if (w->choice & CHOICE_SEQUENCE && w->wire.in.count == 0 && size >= PACKET_HEAD) {
            size_t whole = PACKET_HEAD + (data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16);
            w->wire.sequence = data[3];
            n = n < whole ? n : whole;
        }
        wire_take(&w->wire, data, n);
        go_on(w);
        data += n;
        size -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.choice = 0};
    if (size < 2)
        return 0;
    w.choice = data[0];
    uint8_t tls = w.choice & CHOICE_TLS;
    const struct wire_settings settings = {.user = "homing",
                                           .password = PASSWORD,
                                           .tls =
                                               tls < TLS_MODE_COUNT ? (enum tls_mode)tls : TLS_OFF,
                                           .strange = w.choice & CHOICE_STRANGE};

    must(wire_init(&w.wire, &settings));
    if (w.choice & CHOICE_LOGGED_IN) {
        w.wire.state = WIRE_READY;
        wire_ask(&w.wire, "SELECT 1");
    }
    play(&w, data + 2, size - 2, data[1] ? data[1] : size);
    if (w.wire.state == WIRE_READY)
        wire_leave(&w.wire);
    wire_done(&w.wire);
    return 0;
}

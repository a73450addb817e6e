/* SPDX-License-Identifier: Apache-2.0
 *
 * result.h - reads the packets of an answer into a table. Pure; called by wire.c.
 *
 * A statement answers with an OK, an error, or a table: the number of columns, a definition of each,
 * an end, the rows, an end. If a procedure is called, more of these may follow; the first one counts,
 * the others are checked and dropped, but for an error.
 */
#ifndef HOMING_AGENT_PROBE_MYSQL_RESULT_H
#define HOMING_AGENT_PROBE_MYSQL_RESULT_H

#include "agent/base/stream/bytes.h"
#include "agent/probe/mysql/answer.h"
#include "agent/probe/mysql/packet.h"

enum result_step {
    RESULT_MORE,
    RESULT_DONE,
    RESULT_NONSENSE, /* no such packet may stand here, or it does not hold what it says */
    RESULT_TOO_MUCH, /* more than the bounds of answer.h */
    RESULT_FILE,     /* the server wants to read a file of ours */
    RESULT_NO_MEMORY,
};

enum result_phase {
    RESULT_HEAD,
    RESULT_DEFINITIONS,
    RESULT_DEFINITIONS_END,
    RESULT_ROWS,
};

/* All zero: nothing yet. */
struct result {
    struct mysql_answer answer;
    enum result_phase phase;
    uint32_t columns, seen; /* of the table that is being read: said, and defined as yet */
    uint32_t rows;          /* of all tables */
    bool further;           /* the first one is complete */
    struct bytes text;      /* names and values, each with a NUL */
    struct bytes values;    /* of struct mysql_value */
    const char *names[MYSQL_COLUMNS_MAX];
};

/* Forgets the answer before. */
void result_begin(struct result *r);
enum result_step result_take(struct result *r, const uint8_t *payload, size_t count);
void result_free(struct result *r);

/* The payload of an error; *ret is always set. False: it is not even long enough for a code. */
bool result_error(const uint8_t *payload, size_t count, struct mysql_error *ret);

/* One line of printable text, cut where it does not fit. */
void result_text(const char *from, size_t count, char *ret, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.h - what a server answers to a question: a table of texts, or an error.
 *
 * client.h hands it to the engine. The engine's reports take it without a client, so that a test can
 * fill it by hand.
 */
#ifndef HOMING_AGENT_PROBE_MYSQL_ANSWER_H
#define HOMING_AGENT_PROBE_MYSQL_ANSWER_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of an error's text with its final NUL; longer ones are cut. As ENGINE_TEXT_MAX. */
#define MYSQL_TEXT_SIZE 200

struct mysql_error {
    uint16_t code;              /* 1045 and the like; 0: no error of the server's */
    char state[6];              /* SQLSTATE; "" if it sent none */
    char text[MYSQL_TEXT_SIZE]; /* one line, without control characters */
};

/* One field of one row. NULL: SQL NULL, with length 0. `text` has a NUL at [length], and may have
 * others before it. */
struct mysql_value {
    const char *text;
    uint32_t length;
};

/* Bytes of the longest question. */
#define MYSQL_QUESTION_MAX 16000

/* Bounds of an answer: what a question of ours never needs. A server that exceeds one has failed. */
#define MYSQL_COLUMNS_MAX 128
#define MYSQL_ROWS_MAX    256
#define MYSQL_ANSWER_MAX  (256 * 1024) /* bytes: a set of transactions can be long */

struct mysql_answer {
    struct mysql_error error; /* code 0: it was answered; rows may be 0 all the same */
    uint32_t columns;         /* 0: a statement without a table */
    uint32_t rows;
    const char *const *names;         /* [columns]: the columns', as the question has them */
    const struct mysql_value *values; /* [rows * columns], row by row */
};

/* The value in this row and column, which exist. */
static inline const struct mysql_value *mysql_answer_at(const struct mysql_answer *answer,
                                                        uint32_t row, uint32_t column)
{
    return &answer->values[(size_t)row * answer->columns + column];
}

/* The column of this name, in any case of ASCII letters; -1: there is none. */
int mysql_answer_column(const struct mysql_answer *answer, const char *name);

#endif

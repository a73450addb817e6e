/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_deployments.c - what a hostile server answers as one of AWS's that is asked about a blue/green
 * deployment: answers with an empty line between them, rows as tests/support/postgres_answer.h has them. One
 * that begins with '!' is an error.
 */
#include "config.h"

#include <stdio.h>

#include "agent/probe/postgresql/deployments.h"
#include "tests/support/fuzz.h"
#include "tests/support/postgres_answer.h"

static struct postgres_answer answer_of(const char *text)
{
    struct postgres_answer answer = {.kind = POSTGRES_ANSWER_ROWS};

    if (text[0] == '!') {
        answer.kind = POSTGRES_ANSWER_ERROR;
        snprintf(answer.failure.text, sizeof(answer.failure.text), "%s", text + 1);
    } else {
        answer.rows = *postgres_answer(text);
    }
    return answer;
}

static void check(const struct postgres_deployments *d, const struct topology *topology)
{
    require(d->phase < PHASE_COUNT);
    require(d->tells || d->phase == PHASE_NONE);
    require(!(d->tells && (d->lacked || d->never)));
    for (uint32_t i = 0; i < topology->count; i++)
        require(topology->at[i].green && topology->at[i].port != 0);
}

static void run(const struct postgres_deployments_of *of, char *text)
{
    struct postgres_deployments d = {.tells = false};
    struct topology topology;

    for (char *next; text; text = next) {
        next = strstr(text, "\n\n");
        if (next) {
            *next = '\0';
            next += 2;
        }
        const struct postgres_answer answer = answer_of(text);
        topology_init(&topology);
        d.rest = 0;
        if (!postgres_deployments_begin(&d, of))
            return;
        const char *more = postgres_deployments_take(&d, of, &answer, &topology);
        require(!more || more == of->question);
        check(&d, &topology);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int i = 0; i < 2; i++) {
        char *text = fuzz_text(data, size);
        if (!text)
            return 0;
        run(i ? &postgres_deployments_of_rds : &postgres_deployments_of_aurora, text);
        free(text);
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni_reports.c - what a hostile server at the port of the REST API answers. The first line of the
 * input has the HTTP status and the server's clock; the document comes behind it. Whatever it is, a
 * report is whole, and a failure has words that fit.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/probe/engines/patroni/patroni_reports.h"
#include "tests/support/fuzz.h"

static void check_report(const struct report *r, const char *note)
{
    require(r->kind == REPORT_ANSWER && (r->role == ROLE_WRITER || r->role == ROLE_READER));
    require((r->role == ROLE_WRITER) == (r->term.lo != 0) && r->term.hi == 0);
    require(r->lock < LOCK_COUNT && (r->lock == LOCK_NONE || r->role == ROLE_WRITER));
    require(r->identity != 0 && r->self == 0 && r->follows == 0 && r->branch == 0 &&
            !r->authenticated);
    require(!note || strlen(note) < ENGINE_TEXT_MAX);
}

static void check_failure(const struct patroni_failure *f)
{
    require(f->kind == REPORT_REFUSED || f->kind == REPORT_DENIED || f->kind == REPORT_ODD);
    require(f->hint < HINT_COUNT && strnlen(f->text, ENGINE_TEXT_MAX) < ENGINE_TEXT_MAX);
    for (const char *c = f->text; *c != '\0'; c++)
        require((unsigned char)*c >= ' ' && *c != 0x7f);
}

/* `text` ends with a NUL behind its `size` bytes. */
static void run(const char *text, size_t size)
{
    char *rest;
    struct patroni_answer answer = {.status = (unsigned)strtoul(text, &rest, 10)};
    struct patroni_failure failure = {.kind = REPORT_ANSWER};
    struct report report;
    const char *note = NULL;

    answer.date = strtol(rest, &rest, 10);
    rest += strcspn(rest, "\n");
    rest += *rest == '\n';
    answer.body = rest;
    answer.len = size - (size_t)(rest - text);
    if (patroni_report(&answer, &report, &note, &failure))
        check_report(&report, note);
    else
        check_failure(&failure);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    if (!text)
        return 0;
    run(text, size);
    free(text);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * report.c - the names of roles, kinds of report and phases, and the order of terms.
 */
#include "config.h"

#include "agent/decide/report.h"

const char *role_name(enum role role)
{
    static const char *const names[ROLE_COUNT] = {"none", "writer", "reader"};
    return (unsigned)role < ROLE_COUNT ? names[role] : "?";
}

const char *report_kind_name(enum report_kind kind)
{
    static const char *const names[REPORT_KIND_COUNT] = {"answer",  "late",   "timeout", "broken",
                                                         "refused", "denied", "odd"};
    return (unsigned)kind < REPORT_KIND_COUNT ? names[kind] : "?";
}

const char *phase_name(enum phase phase)
{
    static const char *const names[PHASE_COUNT] = {
        "none", "strange", "available", "initiated", "in_progress", "post", "completed"};
    return (unsigned)phase < PHASE_COUNT ? names[phase] : "?";
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int term_compare(struct term a, struct term b)
{
    int order = compare(a.hi, b.hi);
    return order != 0 ? order : compare(a.lo, b.lo);
}

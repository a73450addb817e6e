/* SPDX-License-Identifier: Apache-2.0
 *
 * failures.h - what follows from it that there is no session with a server of MySQL's family, or
 * no more. Pure.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_FAILURES_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_FAILURES_H

#include <stdbool.h>

#include "agent/decide/report.h"
#include "agent/probe/engine.h"
#include "agent/probe/mysql/failure.h"

struct mysql_report_failure {
    enum report_kind kind;
    enum engine_hint hint;
    char text[ENGINE_TEXT_MAX];
};

/* Why there is no session, or no more. strange: nobody knows who is there (W11). */
void mysql_report_failure(const struct mysql_failure *failure, bool strange,
                          struct mysql_report_failure *ret_failure);

#endif

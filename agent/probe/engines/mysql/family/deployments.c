/* SPDX-License-Identifier: Apache-2.0
 *
 * deployments.c - see deployments.h.
 */
#include "config.h"

#include "agent/probe/engines/mysql/family/deployments.h"

enum {
    ROW_ENDPOINT,
    ROW_PORT,
    ROW_ROLE,
    ROW_STATUS,
    ROW_VERSION,
    ROW_COUNT
};

static bool take_row(const struct mysql_answer *answer, uint32_t row, struct deployment *d,
                     struct topology *topology)
{
    uint64_t port;

    if (!mysql_parse_number(mysql_text_at(answer, row, ROW_PORT), &port) || port == 0 ||
        port > UINT16_MAX)
        return false;
    const struct deployment_row of = {
        .endpoint = mysql_text_at(answer, row, ROW_ENDPOINT),
        .role = mysql_text_at(answer, row, ROW_ROLE),
        .status = mysql_text_at(answer, row, ROW_STATUS),
        .version = mysql_text_at(answer, row, ROW_VERSION),
        .port = (uint16_t)port,
    };
    deployment_take(d, &of, topology);
    return true;
}

bool mysql_take_deployment(const struct mysql_answer *answer, enum phase *ret_phase,
                           struct topology *topology)
{
    struct deployment d;

    if (answer->rows > 0 && answer->columns != ROW_COUNT)
        return false;
    deployment_begin(&d);
    for (uint32_t row = 0; row < answer->rows; row++)
        if (!take_row(answer, row, &d, topology))
            return false;
    deployment_end(&d, topology);
    *ret_phase = d.phase;
    return true;
}

bool mysql_has_no_deployment(const struct mysql_error *error)
{
    return error->code == ER_NO_TABLE || error->code == ER_TABLE_DENIED ||
           error->code == ER_COLUMN_DENIED || error->code == ER_UNKNOWN_COLUMN;
}

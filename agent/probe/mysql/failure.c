/* SPDX-License-Identifier: Apache-2.0
 *
 * failure.c - as failure.h says.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include "agent/probe/mysql/failure.h"
#include "agent/probe/mysql/result.h"

bool mysql_failure_set(struct mysql_failure *failure, enum mysql_fault fault, const char *format,
                       ...)
{
    va_list arguments;

    if (failure->fault != MYSQL_FAULT_NONE)
        return false;
    failure->fault = fault;
    va_start(arguments, format);
    vsnprintf(failure->error.text, sizeof(failure->error.text), format, arguments);
    va_end(arguments);
    return false;
}

bool mysql_failure_said(struct mysql_failure *failure, const uint8_t *payload, size_t count)
{
    struct mysql_error error;

    if (!result_error(payload, count, &error) || error.code == 0)
        return mysql_failure_set(failure, MYSQL_FAULT_PROTOCOL,
                                 "the server sends an error that is none");
    if (failure->fault == MYSQL_FAULT_NONE) {
        failure->fault = MYSQL_FAULT_SERVER;
        failure->error = error;
    }
    return false;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.c - as answer.h says.
 */
#include "config.h"

#include <strings.h>

#include "agent/probe/mysql/answer.h"

int mysql_answer_column(const struct mysql_answer *answer, const char *name)
{
    for (uint32_t i = 0; i < answer->columns; i++)
        if (strcasecmp(answer->names[i], name) == 0)
            return (int)i;
    return -1;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * spelling.c - see spelling.h.
 */
#include "config.h"

#include <string.h>

#include "agent/base/spelling.h"

bool spelling_is_near(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (*a && strcmp(a + 1, b) == 0) || (*b && strcmp(a, b + 1) == 0) ||
           (*a && *b && strcmp(a + 1, b + 1) == 0) ||
           (*a && *b && a[0] == b[1] && a[1] == b[0] && strcmp(a + 2, b + 2) == 0);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * fail.c - as fail.h says.
 */
#include "config.h"

#include <stddef.h>

#include "tests/support/fail.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

static bool counting;
static int left;

void fail_allocation(int n)
{
    counting = true;
    left = n;
}

bool fail_happened(void)
{
    counting = false;
    return left < 0;
}

static bool fails_now(void)
{
    return counting && left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails_now() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return fails_now() ? NULL : __real_strdup(text);
}

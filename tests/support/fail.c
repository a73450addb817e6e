/* SPDX-License-Identifier: Apache-2.0
 *
 * fail.c - as fail.h says.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "tests/support/fail.h"
#include "tests/support/test.h"

static bool counting;
static int left;
static long live;

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

void fail_pause(void)
{
    counting = false;
}

void fail_resume(void)
{
    counting = true;
}

void fail_each(void (*step)(void *arg), void *arg)
{
    int n = 0;

    do {
        fail_allocation(n++);
        step(arg);
    } while (fail_happened());
    assert_true(n > 1);
}

long fail_live_blocks(void)
{
    return live;
}

static bool fails_now(void)
{
    if (!counting || left < 0 || left-- > 0)
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *block)
{
    live += !!block;
    return block;
}

/* A block that grows stays one. */
static void *counted_again(const void *old, void *block)
{
    live += !old && block;
    return block;
}

#define WRAP(type, name, params, args, count)                                                      \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        return fails_now() ? NULL : count(__real_##name args);                                     \
    }
#define GROWN(block) counted_again(old, block)
#define OTHER(file)  (file)

WRAP(void *, malloc, (size_t size), (size), counted)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), counted)
WRAP(char *, strdup, (const char *text), (text), counted)
WRAP(char *, strndup, (const char *text, size_t len), (text, len), counted)
WRAP(void *, realloc, (void *old, size_t size), (old, size), GROWN)
WRAP(void *, reallocarray, (void *old, size_t count, size_t size), (old, count, size), GROWN)
WRAP(FILE *, open_memstream, (char **text, size_t *len), (text, len), OTHER)

void __real_free(void *block);
void __wrap_free(void *block);

void __wrap_free(void *block)
{
    live -= !!block;
    __real_free(block);
}

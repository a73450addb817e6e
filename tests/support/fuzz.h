/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz.h - what fuzz targets share: an input as a text, and what must hold of it.
 */
#ifndef HOMING_TESTS_SUPPORT_FUZZ_H
#define HOMING_TESTS_SUPPORT_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(bool truth)
{
    if (!truth)
        abort();
}

/* For free(). NULL: out of memory. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return NULL;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * name.c - any bytes as a name, ending where readable memory ends. What name_canonical() makes of
 * them is what a slow reading makes of them.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/name.h"

#define PAGE 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The end of a page that none follows. */
static char *page_end(void)
{
    static char *end;

    if (!end) {
        char *pages = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (pages == MAP_FAILED || mprotect(pages, PAGE, PROT_READ | PROT_WRITE) != 0)
            abort();
        end = pages + PAGE;
    }
    return end;
}

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_canonical(const char *text, bool accepted, const struct name *name)
{
    const char *bytes = (const char *)name->words;
    size_t len = strlen(text);
    bool ascii = true;

    for (size_t i = 0; i < len; i++)
        ascii &= (unsigned char)text[i] < 0x80;
    len -= len > 0 && text[len - 1] == '.';
    check(accepted == (ascii && len > 0 && len <= HOMING_NAME_MAX));
    if (!accepted)
        return;
    check(name->len == len && name->hash != 0);
    for (size_t i = 0; i < len; i++)
        check(bytes[i] == (text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]));
    for (size_t i = len; i < (size_t)name_words(name) * 8; i++)
        check(bytes[i] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct name name;
    char *text;

    if (size >= PAGE)
        return 0;
    text = page_end() - size - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    check_canonical(text, name_canonical(text, &name), &name);
    if (name_valid(text))
        check(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") ==
              strlen(text));
    return 0;
}

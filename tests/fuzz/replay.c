/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.c - stands in for libFuzzer: runs a fuzz target over each file of its corpus, one TAP line
 * per file, so that every compiler replays what the fuzzers found. Arguments are files; without
 * any, the corpus folder named like the program below $HOMING_SRCDIR/tests/fuzz/corpus. A corpus
 * that is missing or empty fails.
 */
#include "config.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Larger inputs only repeat what smaller ones show;
 * the bound keeps `make check` under its minute. */
enum {
    REPLAY_MAX_INPUT = 1 << 20
};

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    /* Exactly the input's size, so that AddressSanitizer sees a read one byte past its end. */
    uint8_t *whole = malloc(REPLAY_MAX_INPUT);
    size_t size = whole ? fread(whole, 1, REPLAY_MAX_INPUT, f) : 0;
    uint8_t *input = malloc(size ? size : 1);
    int failed = !whole || !input || ferror(f);
    if (!failed) {
        memcpy(input, whole, size);
        LLVMFuzzerTestOneInput(input, size);
    }
    free(input);
    free(whole);
    fclose(f);
    return failed ? -1 : 0;
}

static void replay_report(const char *path, const char *name, int number)
{
    fflush(stdout);
    printf("%s %d - %s\n", replay_file(path) == 0 ? "ok" : "not ok", number, name);
}

static int replay_is_input(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int replay_corpus(const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, replay_is_input, alphasort);
    if (n <= 0) {
        printf("Bail out! no corpus in %s\n", folder);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        replay_report(path, entries[i]->d_name, i + 1);
        free(entries[i]);
    }
    free(entries);
    printf("1..%d\n", n);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            replay_report(argv[i], argv[i], i);
        printf("1..%d\n", argc - 1);
        return 0;
    }
    const char *srcdir = getenv("HOMING_SRCDIR");
    const char *slash = strrchr(argv[0], '/');
    char folder[2048];
    snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".",
             slash ? slash + 1 : argv[0]);
    return replay_corpus(folder);
}

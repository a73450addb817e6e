/* SPDX-License-Identifier: Apache-2.0
 *
 * conf.c - any bytes as a configuration file. Besides not crashing: what is refused is explained in
 * whole lines without control bytes, and what is taken dumps to a file that is taken and dumps
 * alike.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/conf/conf.h"
#include "agent/probe/engines/engines.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Loads bytes from a file that is nowhere; the caller frees *ret_answer. */
static struct conf *load(const void *bytes, size_t len, char **ret_answer)
{
    struct conf *conf = NULL;
    char path[64];
    size_t size;
    int fd = memfd_create("conf", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    FILE *out = open_memstream(ret_answer, &size);
    if ((conf_load(path, engine_kinds, out, &conf) == 0) != !!conf)
        abort();
    fclose(out);
    close(fd);
    return conf;
}

static char *dump(const struct conf *conf, size_t *ret_len)
{
    char *text;
    FILE *out = open_memstream(&text, ret_len);
    conf_dump(conf, out);
    fclose(out);
    return text;
}

static void check_refusal(const char *answer)
{
    size_t len = strlen(answer);
    if (len == 0 || answer[len - 1] != '\n')
        abort();
    if (strncmp(strchr(answer, ':'), ":1:1: libcyaml", 14) == 0)
        abort();
    for (const char *byte = answer; *byte != '\0'; byte++)
        if (((unsigned char)*byte < 0x20 && *byte != '\n') || *byte == 0x7f)
            abort();
}

static void check_dump(const struct conf *conf)
{
    size_t len, again_len;
    char *answer;
    char *text = dump(conf, &len);
    struct conf *again = load(text, len, &answer);
    if (!again)
        abort();
    char *again_text = dump(again, &again_len);
    if (strcmp(text, again_text) != 0)
        abort();
    conf_free(again);
    free(again_text);
    free(answer);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *answer;
    struct conf *conf = load(bytes, len, &answer);
    if (conf)
        check_dump(conf);
    else
        check_refusal(answer);
    conf_free(conf);
    free(answer);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * folder.c - as folder.h says.
 */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/test.h"

void folder_make(char ret_path[FOLDER_SIZE])
{
    strcpy(ret_path, "/tmp/homing-test-XXXXXX");
    assert_non_null(mkdtemp(ret_path));
}

void folder_remove(const char *path)
{
    char inner[512];
    const struct dirent *entry;
    DIR *dir = opendir(path);

    while (dir && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        if (unlink(inner))
            folder_remove(inner);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

char folder[FOLDER_SIZE];

int folder_enter(void **state)
{
    (void)state;
    folder_make(folder);
    return chdir(folder);
}

int folder_leave(void **state)
{
    (void)state;
    return chdir("/") || rmdir(folder);
}

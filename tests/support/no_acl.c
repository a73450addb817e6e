/* SPDX-License-Identifier: Apache-2.0
 *
 * no_acl.c - preloaded by a test, makes every file system one without access control lists.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/xattr.h>

int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
    (void)path, (void)name, (void)value, (void)size, (void)flags;
    errno = EOPNOTSUPP;
    return -1;
}

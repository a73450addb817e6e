/* SPDX-License-Identifier: Apache-2.0
 *
 * stuck_pread.c - preloaded by a test, hangs the first pread() after there is a link of the name that
 * HOMING_TEST_STUCK says: in the kernel, as long as what is written to the file that it leads to is not taken.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t pread(int fd, void *to, size_t size, off_t at)
{
    char path[256];
    ssize_t len = readlink(getenv("HOMING_TEST_STUCK"), path, sizeof(path) - 1);

    if (len > 0 && unlink(getenv("HOMING_TEST_STUCK")) == 0) {
        path[len] = '\0';
        int stuck = open(path, O_WRONLY);
        (void)!write(stuck, "", 1);
        close(stuck);
    }
    return syscall(SYS_pread64, fd, to, size, at);
}

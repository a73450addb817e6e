/* SPDX-License-Identifier: Apache-2.0
 *
 * no_image.c - a preload that says what libc says where the kernel maps no image of its own into a
 * process, as under an emulator: there is no such entry.
 */
#include <errno.h>

unsigned long getauxval(unsigned long type);
unsigned long getauxval(unsigned long type)
{
    (void)type;
    errno = ENOENT;
    return 0;
}

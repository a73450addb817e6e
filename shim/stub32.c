/* SPDX-License-Identifier: Apache-2.0
 *
 * stub32.c - what a 32-bit program loads in the place of libhoming.so: nothing.
 *
 * A loader that finds only the 64-bit library says so on the standard error of every 32-bit program
 * that is started. With $LIB in LD_PRELOAD it finds this one instead. Compiled without any libc, so
 * that a compiler for 64 bits is enough.
 */
extern const int stub32;
const int stub32 = 32; /* a file has to contain something */

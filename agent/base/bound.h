/* SPDX-License-Identifier: Apache-2.0
 *
 * bound.h - a ceiling for the memory of this process (I6).
 */
#ifndef HOMING_AGENT_BASE_BOUND_H
#define HOMING_AGENT_BASE_BOUND_H

#include <stdint.h>

/* Bounds private memory (RLIMIT_DATA) to a size that an agent with so many members never comes
 * near. A call after a reload moves the bound. Nothing is done if the process already uses half of
 * that size, as under a sanitizer, or if its hard limit is lower anyway. */
void bound_memory(uint64_t members);

#endif

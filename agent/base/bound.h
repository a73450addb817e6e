/* SPDX-License-Identifier: Apache-2.0
 *
 * bound.h - a ceiling for the memory of this process (I6).
 */
#ifndef HOMING_AGENT_BASE_BOUND_H
#define HOMING_AGENT_BASE_BOUND_H

#include <stdint.h>

/* Bounds private memory (RLIMIT_DATA) to what an agent of so many members never comes near. Again
 * after a reload: the bound follows. Leaves a process alone that is larger already, as under a
 * sanitizer, or that may not have so much anyway. */
void bound_memory(uint64_t members);

#endif

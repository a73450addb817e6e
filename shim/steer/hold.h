/* SPDX-License-Identifier: Apache-2.0
 *
 * hold.h - how long a connect() waits for a writer, and how it sleeps meanwhile.
 */
#ifndef HOMING_SHIM_STEER_HOLD_H
#define HOMING_SHIM_STEER_HOLD_H

#include <stdbool.h>
#include <stdint.h>

/* When the socket's connect is to give up: after hold_ms, or earlier if the program has set a bound
 * of its own. A socket that does not block gives up now. Changes errno. */
uint64_t hold_end_ms(int fd, uint32_t hold_ms, uint64_t now_ms);

/* Sleeps for a moment, and not beyond end_ms. False: a signal ends the connect. A cancellation
 * point, as a connect that waits is. Changes errno. */
bool hold_sleep(uint64_t now_ms, uint64_t end_ms);

#endif

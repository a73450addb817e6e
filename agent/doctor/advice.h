/* SPDX-License-Identifier: Apache-2.0
 *
 * advice.h - what to do about a failure or a note, by its words. Pure.
 */
#ifndef HOMING_AGENT_DOCTOR_ADVICE_H
#define HOMING_AGENT_DOCTOR_ADVICE_H

#include <stdbool.h>

#include "agent/conf/engine_kind.h"

#define ADVICE_SIZE 700

/* The statement that grants `user` what the engine may lack, with which that ends its words; NULL: there
 * is none. A server's own words are no such statement. */
const char *advice_grant(const struct engine_kind *kind, const char *user, const char *words);

/* That statement, as it is to be run; else what the engine has to say about such words. `user`: whom
 * the configuration logs in as; "": not known. `where`: the key, or whatever else, that says host and port of the server.
 * False: nobody knows. */
bool advice_find(const struct engine_kind *kind, const char *user, const char *where,
                 const char *words, char ret[ADVICE_SIZE]);

#endif

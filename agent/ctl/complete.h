/* SPDX-License-Identifier: Apache-2.0
 *
 * complete.h - `homingctl --complete WORD...`, for the shell: what may stand where the cursor is.
 */
#ifndef HOMING_AGENT_CTL_COMPLETE_H
#define HOMING_AGENT_CTL_COMPLETE_H

#include <stdio.h>

/* In place of words: the shell knows them. */
#define COMPLETE_FILES    "@files"
#define COMPLETE_PROGRAMS "@programs"

/* `words` are those behind homingctl, up to the one under the cursor, which may be "". Prints those
 * that begin like it, one per line. Clusters, members and names are the running agent's; without
 * one there are none. */
void complete(FILE *out, char **words);

#endif

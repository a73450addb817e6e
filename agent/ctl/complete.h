/* SPDX-License-Identifier: Apache-2.0
 *
 * complete.h - `homingctl --complete WORD...`, for the shell: what may stand where the cursor is.
 */
#ifndef HOMING_AGENT_CTL_COMPLETE_H
#define HOMING_AGENT_CTL_COMPLETE_H

#include <stdio.h>

/* Printed in place of words that the shell knows itself. */
#define COMPLETE_FILES    "@files"
#define COMPLETE_PROGRAMS "@programs"

/* `words`: what stands behind homingctl, up to the word under the cursor, which may be "". Prints
 * the words that may stand there and begin like it, one per line. Clusters, members and names come
 * from the running agent; without an agent there are none. */
void complete(FILE *out, char **words);

#endif

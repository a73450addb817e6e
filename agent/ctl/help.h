/* SPDX-License-Identifier: Apache-2.0
 *
 * help.h - `homingctl --help` and the usage of a command, from the rows of commands.h.
 */
#ifndef HOMING_AGENT_CTL_HELP_H
#define HOMING_AGENT_CTL_HELP_H

#include "agent/ctl/commands.h"

void help_command(FILE *out, const struct command *command);
void help_all(FILE *out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * password.h - the file that `password_file` names, as the configuration is checked. To read it is
 * conf_password().
 */
#ifndef HOMING_AGENT_CONF_PASSWORD_H
#define HOMING_AGENT_CONF_PASSWORD_H

#include <stdbool.h>

/* NULL, or what is wrong with the file and what to do. */
const char *conf_password_check(const char *file);

/* Whether a file that is good has the form of a line of a .pgpass: all of it is the password. */
bool conf_password_is_pgpass(const char *file);

#endif

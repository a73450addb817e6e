/* SPDX-License-Identifier: Apache-2.0
 *
 * password.h - the file that `password_file` names, as the configuration is checked. To read it is
 * conf_password().
 */
#ifndef HOMING_AGENT_CONF_PASSWORD_H
#define HOMING_AGENT_CONF_PASSWORD_H

/* NULL, or what is wrong with the file and what to do. */
const char *conf_password_check(const char *file);

#endif

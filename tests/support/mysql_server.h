/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_server.h - a server of MySQL's family that a test describes, asked step by step as
 * engines/mysql/mysql.c asks a real one.
 */
#ifndef HOMING_TESTS_SUPPORT_MYSQL_SERVER_H
#define HOMING_TESTS_SUPPORT_MYSQL_SERVER_H

#include "agent/probe/engines/mysql/mysql_reports.h"
#include "tests/support/mysql_answer.h"

#define UUID_A "b8d2f67a-eca3-11f1-9972-02fc00000001"
#define UUID_B "ffffffff-eca3-11f1-9972-02fc00000002"
#define GROUP  "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
#define VIEW   "17958904293467258:7"

/* What a test says of a server; NULL: as a lone, writable one has it. */
struct server {
    bool mariadb, circular;
    const char *uuid, *group, *wsrep, *aurora;
    const char *channels; /* rows of MYSQL_STEP_CHANNELS */
    const char *gtids, *gtid_mode;
    const char *read_only, *super_read_only, *innodb_read_only, *offline;
    const char *domain, *number;
    const char *origin;
    const char *members, *unreachable, *state, *role, *view, *single;
    const char *started;
};

struct told {
    struct report report;
    const char *note;
    struct mysql_report_failure failure;
    bool failed;
};

/* All steps of a full question; the second begins a session. */
struct told tell_with(struct mysql_seen *seen, const struct server *server);
struct told tell(const struct server *server);

/* One of them. */
const struct mysql_answer *answer_of(const struct server *server, enum mysql_step step);

/* Its role; the session fails and is odd, for this reason. */
enum role role_of(const struct server *server);
void assert_odd(const struct server *server, const char *why);

#endif

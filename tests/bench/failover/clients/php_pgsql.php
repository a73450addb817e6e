<?php
// SPDX-License-Identifier: Apache-2.0
// A worker on PHP's pgsql extension: connects anew when the connection's status is no longer good.
require __DIR__ . '/pace.php';

$db = false;
run(function (string $sql) use (&$db): ?array {
    if (!$db || pg_connection_status($db) !== PGSQL_CONNECTION_OK) {
        $db = pg_connect('', PGSQL_CONNECT_FORCE_NEW);
        if (!$db) {
            return ['', error_get_last()['message'] ?? 'no connection'];
        }
    }
    // pg_query() would keep no result of a failure, and so no SQLSTATE.
    if (!pg_send_query($db, $sql) || !($result = pg_get_result($db))) {
        return ['', pg_last_error($db)];
    }
    while (pg_get_result($db)) {
    }
    if (pg_result_status($result) === PGSQL_COMMAND_OK) {
        return null;
    }
    return [pg_result_error_field($result, PGSQL_DIAG_SQLSTATE), pg_result_error($result)];
});

<?php
// SPDX-License-Identifier: Apache-2.0
// A worker on PHP's mysqli: after a failure it pings, and connects anew if that fails too.
require __DIR__ . '/../pace.php';

mysqli_report(MYSQLI_REPORT_OFF);
$db = null;
run(function (string $sql) use (&$db): ?array {
    if (!$db) {
        $db = mysqli_connect(getenv('DBHOST'), getenv('DBUSER'), getenv('DBPASSWORD'), getenv('DBNAME'), (int) getenv('DBPORT')) ?: null;
        if (!$db) {
            return [mysqli_connect_errno(), mysqli_connect_error() ?? 'no connection'];
        }
    }
    if (mysqli_query($db, $sql)) {
        return null;
    }
    $failure = [mysqli_errno($db), mysqli_error($db)];
    if (!mysqli_query($db, 'DO 0')) { // mysqli_ping() is deprecated from PHP 8.4 on
        $db = null;
    }
    return $failure;
});

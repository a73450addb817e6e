<?php
// SPDX-License-Identifier: Apache-2.0
// A worker on PHP's PDO: after a failure it asks for nothing, and connects anew if that fails too.
require __DIR__ . '/../pace.php';

$db = null;
run(function (string $sql) use (&$db): ?array {
    try {
        $db ??= new PDO(sprintf('mysql:host=%s;port=%s;dbname=%s', getenv('DBHOST'), getenv('DBPORT'), getenv('DBNAME')),
                        getenv('DBUSER'), getenv('DBPASSWORD'));
        $db->exec($sql);
        return null;
    } catch (PDOException $failure) {
        try {
            $db?->exec('DO 0');
        } catch (PDOException) {
            $db = null;
        }
        return [$failure->errorInfo[1] ?? $failure->getCode(), $failure->getMessage()];
    }
});

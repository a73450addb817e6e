<?php
// SPDX-License-Identifier: Apache-2.0
// The beat of the PHP clients: insert() answers null, or [code, text] of its failure.

function say(int $number, string $what): void
{
    printf("%d %d %s\n", microtime(true) * 1000, $number, preg_replace('/\s+/', ' ', $what));
}

function run(callable $insert): void
{
    error_reporting(0);
    $sql = "INSERT INTO writes (client) VALUES ('" . getenv('CLIENT') . "')";
    for ($number = 1;; $number++) {
        $due = microtime(true) + 0.02;
        say($number, 'begin');
        $failure = $insert($sql);
        say($number, $failure ? 'error ' . ($failure[0] ?: '-') . ' ' . $failure[1] : 'ok');
        $left = $due - microtime(true);
        if ($left > 0) {
            usleep((int) ($left * 1e6));
        }
    }
}

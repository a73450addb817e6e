<?php
// SPDX-License-Identifier: Apache-2.0
// PHP's own streams, as drivers written in PHP use them: the protocol's simple query, without a password.
require __DIR__ . '/pace.php';

function message($stream): ?array // [type, body]
{
    $head = stream_get_contents($stream, 5);
    if (strlen((string) $head) < 5) {
        return null;
    }
    $length = unpack('N', $head, 1)[1] - 4;
    $body = $length ? stream_get_contents($stream, $length) : '';
    return strlen((string) $body) === $length ? [$head[0], $body] : null;
}

/** Reads until the server is ready: null, [code, text], or false when the connection is gone. */
function settle($stream): array|null|false
{
    $failure = null;
    while ($got = message($stream)) {
        [$type, $body] = $got;
        if ($type === 'E') {
            preg_match('/\0C([^\0]*)/', "\0" . $body, $code);
            preg_match('/\0M([^\0]*)/', "\0" . $body, $text);
            $failure = [$code[1] ?? '', $text[1] ?? ''];
        } elseif ($type === 'Z') {
            return $failure;
        }
    }
    return $failure ?? false;
}

$stream = null;
run(function (string $sql) use (&$stream): ?array {
    if (!$stream) {
        $stream = stream_socket_client('tcp://' . getenv('PGHOST') . ':' . getenv('PGPORT'), $code, $text);
        if (!$stream) {
            return ['', $text];
        }
        stream_set_timeout($stream, 3600); // as without one: default_socket_timeout is for web pages
        $body = pack('N', 196608) . "user\0postgres\0database\0" . getenv('PGDATABASE') . "\0\0";
        fwrite($stream, pack('N', strlen($body) + 4) . $body);
        $failure = settle($stream);
        if ($failure !== null) {
            $stream = null;
            return $failure ?: ['', 'connection lost while starting'];
        }
    }
    fwrite($stream, 'Q' . pack('N', strlen($sql) + 5) . $sql . "\0");
    $failure = settle($stream);
    if ($failure === false || feof($stream)) {
        $stream = null;
    }
    return $failure === false ? ['', 'connection lost'] : $failure;
});

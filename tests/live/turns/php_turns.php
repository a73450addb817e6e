<?php
// SPDX-License-Identifier: Apache-2.0
// Per line of input: a new stream to HOST and a lookup of OTHER; prints where they led.
//
// usage: php_turns.php HOST PORT OTHER
[, $host, $port, $other] = $argv;
while (fgets(STDIN) !== false) {
    $stream = @stream_socket_client("tcp://$host:$port", $code, $text);
    $where = $stream ? strstr(stream_socket_get_name($stream, true), ':', true) : "failed: $text";
    echo $where, ' ', gethostbyname($other), "\n";
    $stream && fclose($stream);
}

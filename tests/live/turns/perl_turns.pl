#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Per line of input: a new connection to HOST and a lookup of OTHER; prints where they led.
#
# usage: perl_turns.pl HOST PORT OTHER
use strict;
use warnings;
use IO::Socket::IP;
use Socket;

$| = 1;
my ($host, $port, $other) = @ARGV;
while (<STDIN>) {
    my $socket = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port);
    my $address = gethostbyname($other);
    print $socket ? $socket->peerhost : "failed: $@", ' ', $address ? inet_ntoa($address) : 'none', "\n";
}

#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A worker on DBD::Pg: after a failure it pings, and connects anew if that fails too.
use strict;
use warnings;
use DBI;
use Time::HiRes qw(time sleep);

$| = 1;
my $sql = "INSERT INTO writes (client) VALUES ('$ENV{CLIENT}')";
my ($db, $number) = (undef, 0);

sub say_it {
    my ($what) = @_;
    $what =~ s/\s+/ /g;
    printf "%d %d %s\n", time * 1000, $number, $what;
}

while (1) {
    my $begin = time;
    $number++;
    say_it('begin');
    # DBI->connect without a host takes PGHOST and its like.
    $db = DBI->connect('dbi:Pg:', undef, undef, {RaiseError => 0, PrintError => 0, AutoCommit => 1}) unless $db;
    if ($db && $db->do($sql)) {
        say_it('ok');
    } else {
        say_it('error ' . ($DBI::state || '-') . ' ' . ($DBI::errstr // ''));
        undef $db unless $db && $db->ping;
    }
    my $left = $begin + 0.02 - time;
    sleep $left if $left > 0;
}

#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A worker on DBI: after a failure it pings, and connects anew if that fails too.
#
# usage: perl_dbi.pl MariaDB|mysql     the driver, DBD::MariaDB or DBD::mysql
use strict;
use warnings;
use DBI;
use Time::HiRes qw(time sleep);

$| = 1;
my $sql = "INSERT INTO writes (client) VALUES ('$ENV{CLIENT}')";
my $source = "dbi:$ARGV[0]:database=$ENV{DBNAME};host=$ENV{DBHOST};port=$ENV{DBPORT}";
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
    $db = DBI->connect($source, $ENV{DBUSER}, $ENV{DBPASSWORD}, {RaiseError => 0, PrintError => 0, AutoCommit => 1}) unless $db;
    if ($db && $db->do($sql)) {
        say_it('ok');
    } else {
        say_it('error ' . ($DBI::err || '-') . ' ' . ($DBI::errstr // ''));
        undef $db unless $db && $db->ping;
    }
    my $left = $begin + 0.02 - time;
    sleep $left if $left > 0;
}

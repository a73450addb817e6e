#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# own_names.sh - what names lead to, decided by files of one's own instead of by the machine. To be run in a mount
# namespace, which is all that it changes.
#
# usage: own_names.sh FOLDER     its hosts, resolv.conf and nsswitch.conf, those that are there, instead of /etc's
set -eu
for file in hosts resolv.conf nsswitch.conf; do
    [ -e "$1/$file" ] || continue
    # It may be a link: what it leads to is covered.
    place=$(readlink -e "/etc/$file") || {
        echo "own_names.sh: there is no /etc/$file, over which another one could be mounted" >&2
        exit 1
    }
    mount --bind "$1/$file" "$place"
done
# A cache of the machine must not answer for us.
[ ! -d /var/run/nscd ] || mount -t tmpfs none /var/run/nscd

#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# The first program of arm64.sh's machine, in the memory that its kernel starts with: finds the two disks, one of which is
# the root, and goes on there.
b=/bin/busybox
$b mount -t devtmpfs none /dev
for module in /modules/*; do
    $b insmod "$module"
done
for disk in /dev/vda /dev/vdb; do
    $b mount -t ext4 -o ro $disk /disk || continue
    if [ -e /disk/what ]; then work=$disk; else root=$disk; fi
    $b umount /disk
done
$b mount -t ext4 "$root" /root && $b mount -t ext4 "$work" /root/machine || $b poweroff -f
$b mount --move /dev /root/dev
exec $b switch_root /root /bin/bash /machine/inside.sh

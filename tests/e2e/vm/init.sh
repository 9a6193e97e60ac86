#!/bin/busybox sh
# Process 1 of the guest until the root file system is there: the host's / over 9p below a tmpfs overlay.
b=/bin/busybox
$b mount -t proc p /proc
$b mount -t sysfs s /sys
$b mount -t devtmpfs d /dev
@INSMOD@
o=trans=virtio,version=9p2000.L,msize=262144
$b mkdir -p /mnt/lower /mnt/control /mnt/upper /mnt/new
$b mount -t 9p -o $o,cache=loose,ro root /mnt/lower
$b mount -t tmpfs -o mode=755 t /mnt/upper
$b mkdir /mnt/upper/u /mnt/upper/w
$b mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper/u,workdir=/mnt/upper/w o /mnt/new
$b mount -t 9p -o $o,ro control /mnt/control
$b cp /mnt/control/settings /mnt/new/.vm-settings
$b umount /mnt/control
for d in proc sys dev; do $b mount --move /$d /mnt/new/$d; done
exec $b switch_root /mnt/new /bin/bash -c '. /.vm-settings; . "$VM_SCRIPT"'

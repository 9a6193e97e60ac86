#!/usr/bin/env bash
# systemd.sh COMMAND...: in the guest, starts a real systemd as process 1 of its own namespaces (network shared), waits
# until it is up and runs COMMAND beside it, so that systemctl and journalctl work. Only what basic.target needs is
# started: the units that happen to be installed on the machine stay off.
set -euo pipefail
mkdir -p /etc/systemd/system /etc/tmpfiles.d /var/log/journal
: > /etc/tmpfiles.d/tmp.conf # Else the boot empties /tmp, where the caller's files may be.
for unit in tmp.mount systemd-udevd.service systemd-udev-trigger.service systemd-udev-settle.service \
  systemd-networkd.service systemd-resolved.service systemd-timesyncd.service systemd-modules-load.service \
  systemd-sysctl.service apparmor.service networking.service dbus.service dbus.socket ldconfig.service \
  systemd-hwdb-update.service systemd-remount-fs.service kmod-static-nodes.service e2scrub_reap.service; do
  ln -sf /dev/null "/etc/systemd/system/$unit"
done
: > /etc/machine-id
printf '# empty\n' > /etc/fstab
setsid unshare -m -p -f -u -i -C --propagation private sh -c \
  'mount -t proc p /proc && container=other exec /lib/systemd/systemd --unit=basic.target --log-target=null' \
  < /dev/null > /run/systemd.log 2>&1 &
unshare_pid=$!
init=''
deadline=$((SECONDS + 300))
until [[ $init ]] && nsenter -t "$init" -m -p -u -i -C timeout 10 systemctl is-active -q basic.target 2> /dev/null; do
  ((SECONDS < deadline)) || { echo "systemd.sh: systemd is not up after 300 s" >&2; cat /run/systemd.log >&2; exit 1; }
  init=$(cat "/proc/$unshare_pid/task/$unshare_pid/children" 2> /dev/null || :)
  init=${init%% *}
  read -rt 0.2 < <(:) || :
done
exec nsenter -t "$init" -m -p -u -i -C -- "$@"

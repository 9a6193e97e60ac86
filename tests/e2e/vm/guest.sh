# Process 1 of the guest: prepares /dev, /run and the shares, runs VM_COMMAND, reports its status, powers off.
# shellcheck shell=bash disable=SC2154 # The VM_ variables come from /.vm-settings, written by vm.py.
export MINIBGP_VM=1 OUT=/out
share() {
  mkdir -p "$2"
  mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=mmap "$1" "$2"
}
mkdir -p "/lib/modules/$VM_VERSION" /dev/pts /dev/shm
mount --bind "$VM_MODULES" "/lib/modules/$VM_VERSION"
mount -t devpts -o ptmxmode=666 d /dev/pts
mount -t tmpfs d /dev/shm
mount -t tmpfs -o mode=755 d /run
mount -t cgroup2 c /sys/fs/cgroup
mount -t debugfs d /sys/kernel/debug
ln -s /proc/self/fd /dev/fd
for fd in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${fd%:*}" "/dev/${fd#*:}"; done
mkdir -p /run/lock /run/vm
share control /run/vm
if [[ $VM_SHARE_OUT ]]; then share out /out; else mkdir -p /out; fi
hostname vm
ip link set lo up
cd "$VM_DIRECTORY" || cd /
mkfifo /run/output
cat /run/output > /dev/vport[0-9]*p1 & writer=$!
setsid -w bash -c "exec $VM_COMMAND" < /dev/null > /run/output 2>&1
echo $? > /run/vm/status
# What the command left behind keeps the output open: end it, then wait for the last line to get through.
for p in /proc/[0-9]*/exe; do
  p=${p%/exe}
  p=${p#/proc/}
  ((p == 1 || p == writer)) || ! readlink "/proc/$p/exe" > /dev/null || kill -9 "$p"
done 2> /dev/null
wait "$writer"
sync
echo o > /proc/sysrq-trigger
sleep 60

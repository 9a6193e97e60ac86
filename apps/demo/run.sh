#!/usr/bin/env bash
# The document's scenario on one machine: an on-premises gateway with two tunnels to a cloud gateway, bgplite on both,
# hosts on both ends; sessions, ECMP routes, pings over both paths, then one tunnel is taken away under traffic.
set -euo pipefail

usage() {
  cat << 'USAGE'
usage: sudo apps/demo/run.sh [--keep] [--plain-links] [--no-build]

  --keep         leave everything running for a look around; the next run, or --remove, takes it away
  --remove       only take away what an earlier --keep left
  --plain-links  do not use XFRM interfaces even where the kernel has them
  --no-build     use the bgplite that is built already (BGPLITE=PATH names one)

Installs what building needs, builds build/demo, makes four network namespaces named bgplite-demo-*, and removes them at
the end. The status is 0 when everything was as it should be.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
keep=0 plain=0 build=1 remove=0
while (($#)); do
  case $1 in
    --keep) keep=1 ;;
    --remove) remove=1 ;;
    --plain-links) plain=1 ;;
    --no-build) build=0 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; echo "apps/demo/run.sh: unknown option '$1'" >&2; exit 2 ;;
  esac
  shift
done
((EUID == 0)) || { echo "apps/demo/run.sh: network namespaces need root; run: sudo $0" >&2; exit 1; }
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8
exec < /dev/null

prefix=bgplite-demo
state=/run/$prefix
spaces=(host gateway cloud vpc)

# --- helpers ---------------------------------------------------------------------------------------------------------
step() { printf '\n== %s\n' "$*"; }
die() { printf 'apps/demo/run.sh: %s\n' "$*" >&2; exit 1; }
on() { local space=$1; shift; ip netns exec "$prefix-$space" "$@"; }
shown() { local space=$1; shift; printf '%s# %s\n' "$space" "$*"; on "$space" "$@" | sed 's/^/    /'; }
wait_for() { # SECONDS WHAT COMMAND...
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    ((SECONDS < deadline)) || { tail -n 20 "$state"/*.log >&2; die "not within its time: $what"; }
    read -rt 0.1 <> <(:) || :
  done
}

gone() { ! kill -0 "$1" 2> /dev/null || [[ $(< "/proc/$1/stat") == *') Z '* ]]; }

take_away() {
  local file space
  for file in "$state"/*.pid; do
    [[ -e $file ]] || continue
    # Only what an earlier or this run started: the file names a process that runs bgplite.
    if [[ $(cat "/proc/$(< "$file")/comm" 2> /dev/null) == bgplite ]]; then
      kill "$(< "$file")" 2> /dev/null || :
      wait_for 10 'a daemon of the demo ends' gone "$(< "$file")"
    fi
  done
  for space in "${spaces[@]}"; do
    if ip netns list | grep -q "^$prefix-$space\b"; then ip netns del "$prefix-$space"; fi
  done
  rm -rf "$state"
}

finish() {
  local status=$?
  trap - EXIT
  if ((keep && status == 0)); then
    printf '\nEverything stays. Look around, for example:\n'
    printf '  sudo ip netns exec %s-gateway ip route\n' "$prefix"
    printf '  sudo %s show summary --socket %s/gateway.sock\n' "$bgplite" "$state"
    printf '  sudo ip netns exec %s-host ping 192.168.10.11\n' "$prefix"
    printf 'and take it away: sudo apps/demo/run.sh --remove\n'
  else
    take_away
  fi
  exit $status
}

if ((remove)); then take_away; exit 0; fi

# --- build -----------------------------------------------------------------------------------------------------------
if ((build)); then
  "$root/tests/lib/install.sh" build demo
fi
# Before the minutes of building: what the demo cannot do without.
probe=$prefix-probe-$$
if ! why=$(ip netns add "$probe" 2>&1 && ip netns exec "$probe" true 2>&1); then
  ip netns del "$probe" 2> /dev/null || :
  die "this machine lets root make no network namespace: ${why##*$'\n'}
In a container it needs the rights to mount and to make namespaces (--privileged); in a chroot, / must be a mount point
(mount --bind ROOT ROOT before chroot)."
fi
ip netns del "$probe"
if ((build)); then
  step "building bgplite in build/demo"
  launcher=()
  if command -v ccache > /dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  cmake -S "$root" -B "$root/build/demo" -G Ninja -DCMAKE_BUILD_TYPE=Release -DMINIBGP_BUILD_TESTS=OFF \
    "${launcher[@]}" > /dev/null
  NINJA_STATUS='[%f/%t, %e s] ' cmake --build "$root/build/demo" --target bgplite
  if [[ ${SUDO_UID:-} ]]; then chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$root/build"; fi
fi
# Either folder may be missing.
built() { find "$root"/build/{demo,release} -name bgplite -type f -perm -u+x -print -quit 2> /dev/null || :; }
bgplite=${BGPLITE:-$(built)}
[[ $bgplite && -x $bgplite ]] || die "bgplite is not built; run without --no-build"

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
take_away
mkdir -p "$state"

# --- the document's addresses ----------------------------------------------------------------------------------------
for space in "${spaces[@]}"; do
  ip netns add "$prefix-$space"
  on "$space" ip link set lo up
done
link() { # SPACE DEVICE ADDRESS SPACE DEVICE ADDRESS
  ip link add "$2" netns "$prefix-$1" type veth peer name "$5" netns "$prefix-$4"
  on "$1" ip address add "$3" dev "$2"
  on "$4" ip address add "$6" dev "$5"
  on "$1" ip link set "$2" up
  on "$4" ip link set "$5" up
}
link host eth0 172.16.20.10/24 gateway lan0 172.16.20.80/24
on host ip route add default via 172.16.20.80
link cloud vsw0 192.168.10.1/24 vpc eth0 192.168.10.11/24
for n in 20 30 40 50; do
  on cloud ip address add "192.168.$n.1/24" dev vsw0
  on vpc ip address add "192.168.$n.11/24" dev eth0
done
on vpc ip route add default via 192.168.10.1
for space in gateway cloud; do
  on "$space" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=1
done

# XFRM interfaces with keyed SAs, or links of the same names.
tunnel() { # NUMBER IF_ID GATEWAY-ADDRESS CLOUD-ADDRESS INNER-NETWORK
  local device=ipsec$1 id=$2 near=$3 far=$4 inner=$5 space out in
  if ((!xfrm)); then
    link gateway "$device" "$inner.2/30" cloud "$device" "$inner.1/30"
    return
  fi
  link gateway "eth$1" "$near/24" cloud "eth$1" "$far/24"
  for space in gateway cloud; do
    if [[ $space == gateway ]]; then out=$near in=$far; else out=$far in=$near; fi
    on "$space" ip link add "$device" type xfrm dev "eth$1" if_id "$id"
    on "$space" ip address add "$inner.$([[ $space == gateway ]] && echo 2 || echo 1)/30" dev "$device"
    on "$space" ip link set "$device" up
    local key
    for key in "$near $far 1$id" "$far $near 2$id"; do
      read -r from to spi <<< "$key"
      on "$space" ip xfrm state add src "$from" dst "$to" proto esp spi "$spi" reqid "$id" mode tunnel if_id "$id" \
        aead 'rfc4106(gcm(aes))' "0x$(printf '%s' "$prefix $key $secret" | sha256sum | cut -c1-40)" 128
    done
    on "$space" ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id "$id" \
      tmpl src "$out" dst "$in" proto esp reqid "$id" mode tunnel
    for direction in in fwd; do
      on "$space" ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir "$direction" if_id "$id" \
        tmpl src "$in" dst "$out" proto esp reqid "$id" mode tunnel
    done
  done
}
secret=$(od -An -tx1 -N16 /dev/urandom | tr -d ' ')
xfrm=0
if ((!plain)) && on gateway ip link add probe type xfrm dev lo if_id 1 2> /dev/null; then
  on gateway ip link del probe
  xfrm=1
fi
if ((xfrm)); then
  step "tunnels: XFRM interfaces ipsec0 (if_id 42) and ipsec1 (if_id 43), ESP with AES-GCM"
elif ((plain)); then
  step "tunnels: plain links named ipsec0 and ipsec1, as asked"
else
  step "tunnels: plain links named ipsec0 and ipsec1 (kernel $(uname -r) has no XFRM interfaces)"
fi
tunnel 0 42 203.0.113.202 203.0.113.151 169.254.10
tunnel 1 43 198.51.100.127 198.51.100.87 169.254.20

# --- bgplite on both sides -------------------------------------------------------------------------------------------
config() { # SPACE AS ROUTER-ID PEER-AS PEER-END NETWORKS
  cat > "$state/$1.yaml" << YAML
router: { asn: $2, router_id: $3, maximum_paths: 32 }
networks: [$6]
peers:
  169.254.10.$5: { asn: $4, accept_all: true, timers: { keepalive: 10s, hold: 30s } }
  169.254.20.$5: { asn: $4, accept_all: true, timers: { keepalive: 10s, hold: 30s } }
control: { socket: $state/$1.sock }
YAML
}
config gateway 65530 169.254.10.2 65535 1 '172.16.20.0/24, 172.16.21.0/24'
config cloud 65535 169.254.10.1 65530 2 \
  '192.168.10.0/24, 192.168.20.0/24, 192.168.30.0/24, 192.168.40.0/24, 192.168.50.0/24'
for space in gateway cloud; do
  # Not on(): a function in the background is a shell of its own, and its process id not the daemon's.
  ip netns exec "$prefix-$space" "$bgplite" run -c "$state/$space.yaml" > "$state/$space.log" 2>&1 &
  echo $! > "$state/$space.pid"
done
hops() { # DEVICE COUNT: so many of the five VPC routes of the gateway use the device
  [[ $(on gateway python3 - "$1" << 'PYTHON'
import json, subprocess, sys
routes = json.loads(subprocess.run(["ip", "-j", "route"], capture_output=True, text=True).stdout)
print(sum(any(hop.get("dev") == sys.argv[1] for hop in route.get("nexthops", [route])) for route in routes
          if route["dst"].startswith("192.168.") and "gateway" in (route.get("nexthops") or [route])[0]))
PYTHON
  ) == "$2" ]]
}
both_paths() { hops ipsec0 5 && hops ipsec1 5; }
wait_for 30 "five VPC prefixes over both tunnels in the gateway's kernel" both_paths
wait_for 30 "the way back in the cloud's kernel" on host ping -c 1 -W 1 192.168.10.11

step "sessions, seen from the gateway"
printf 'gateway# bgplite show summary\n'
on gateway "$bgplite" show summary --socket "$state/gateway.sock" | sed 's/^/    /'
step "the VPC's prefixes in the gateway's kernel, as ECMP routes"
shown gateway ip route

# --- traffic ---------------------------------------------------------------------------------------------------------
sent() { on gateway cat "/sys/class/net/$1/statistics/tx_packets"; }
step "an on-premises host pings five VPC hosts"
before0=$(sent ipsec0) before1=$(sent ipsec1)
for n in 10 20 30 40 50; do
  line=$(on host ping -q -c 3 -i 0.2 -W 1 "192.168.$n.11" | grep 'packets transmitted')
  printf '    192.168.%s.11: %s\n' "$n" "$line"
done
# Which path a flow takes is the kernel's hash; more flows until each path has carried some.
flow=0
while (($(sent ipsec0) - before0 < 5 || $(sent ipsec1) - before1 < 5)); do
  ((++flow <= 200)) || die "200 flows and one of the paths carried nothing"
  on host ping -q -c 1 -W 1 -I 172.16.20.10 "192.168.$((flow % 5 * 10 + 10)).11" > /dev/null
done
printf '    packets over ipsec0: %d, over ipsec1: %d\n' $(($(sent ipsec0) - before0)) $(($(sent ipsec1) - before1))

step "tunnel ipsec0 is taken away at both ends while pings run"
pings=()
for n in 10 20 30 40 50; do
  on host ping -c 40 -i 0.1 -W 1 "192.168.$n.11" > "$state/ping.$n" &
  pings+=($!)
done
started() { [[ $(cat "$state"/ping.* | grep -c 'bytes from') -ge 25 ]]; }
wait_for 10 "the pings are answered" started
on gateway ip link set ipsec0 down
on cloud ip link set ipsec0 down
one_path() { hops ipsec0 0 && hops ipsec1 5; }
wait_for 5 "every VPC route over ipsec1 alone" one_path
shown gateway ip route
wait "${pings[@]}" || : # ping fails when it lost one
lost=0
for n in 10 20 30 40 50; do
  line=$(grep 'packets transmitted' "$state/ping.$n")
  printf '    192.168.%s.11: %s\n' "$n" "$line"
  got=$(sed -n 's/.* \([0-9]*\) received.*/\1/p' <<< "$line")
  lost=$((lost + 40 - got))
done
printf '    %d of 200 lost in all\n' "$lost"
((lost <= 20)) || die "traffic did not continue"

step "the tunnel is back"
on gateway ip link set ipsec0 up
on cloud ip link set ipsec0 up
wait_for 60 "both paths again" both_paths
shown gateway ip route
printf '\nAll as it should be.\n'

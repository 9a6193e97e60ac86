#!/usr/bin/env bash
# install.sh GROUP...: installs the missing packages of these groups (third_party/packages) without starting or enabling
# any daemon. Packages that are there already are left as they are, so that nothing that runs is restarted.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

wanted=() missing=()
for group; do
  while read -r name packages; do
    if [[ $name == "$group" ]]; then read -ra words <<< "$packages"; wanted+=("${words[@]}"); fi
  done < "$root/third_party/packages"
done
for package in $(printf '%s\n' "${wanted[@]}" | sort -u); do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || :)
  [[ $state == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0
if ((EUID != 0)); then
  printf 'Not installed, and only root can: %s\n' "${missing[*]}" >&2
  exit 0
fi
command -v apt-get > /dev/null || { printf 'No apt-get here; please install: %s\n' "${missing[*]}" >&2; exit 1; }
printf '== installing %s\n' "${missing[*]}"

# invoke-rc.d and deb-systemd-invoke ask this file before they start anything; 101 is "no". A policy of the user's is
# put back afterwards, also after an earlier run that was killed.
policy=/usr/sbin/policy-rc.d saved=/usr/sbin/policy-rc.d.before-minibgp
mark='# Put here by minibgp while it installs packages.'
restore() {
  if [[ -f $policy ]] && grep -qF "$mark" "$policy"; then rm -f "$policy"; fi
  if [[ -e $saved || -L $saved ]]; then mv -f "$saved" "$policy"; fi
}
restore
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
if [[ -e $policy || -L $policy ]]; then mv -f "$policy" "$saved"; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" > "$policy"
chmod 755 "$policy"

apt=(apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
"${apt[@]}" update || echo "apt-get update failed; trying with the lists that are here" >&2
if ! "${apt[@]}" install --no-install-recommends --no-upgrade "${missing[@]}"; then
  # One package that cannot be had must not keep the others away.
  for package in "${missing[@]}"; do
    "${apt[@]}" install --no-install-recommends --no-upgrade "$package" || echo "could not install $package" >&2
  done
fi

# Nor shall a daemon that came only for the tests start at the next boot.
for package in "${missing[@]}"; do
  while read -r unit; do
    systemctl disable --quiet "${unit##*/}" 2> /dev/null || :
  done < <(dpkg -L "$package" 2> /dev/null | grep -E '^(/usr)?/lib/systemd/system/[^/@]+\.(service|socket)$' || :)
done

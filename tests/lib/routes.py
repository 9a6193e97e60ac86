"""Prefixes to announce, and the comparison of what was announced with what a kernel has."""
from cases import check_equal
from netlab import wait_until

VPC = [f"192.168.{n}.0/24" for n in (10, 20, 30, 40, 50)]


def prefixes(count, family, second=0):
    """`count` prefixes, disjoint for different `second` (0..7)."""
    if family == 4:
        return [f"10.{second * 32 + (i >> 8)}.{i & 255}.0/24" for i in range(count)]
    return [f"2001:db8:{second + 1:x}{i >> 16:x}:{i & 0xFFFF:x}::/64" for i in range(1, count + 1)]


def learned(namespace, family, protocol):
    """{prefix: next hops} of the kernel routes with this protocol."""
    return {
        prefix: frozenset().union(*(route.next_hops for route in routes))
        for prefix, routes in namespace.routes(family, protocol).items()
    }


def check_learned(namespace, announced, next_hops, protocol, seconds=20):
    """Waits until the kernel has exactly `announced` (of the family of the first; empty: of IPv4), each with
    `next_hops`. A next hop is (gateway, device, weight); gateway None means any link-local one."""
    announced = list(announced)
    family = 6 if announced and ":" in announced[0] else 4
    wait_learned(namespace, {prefix: next_hops for prefix in announced}, family, protocol, seconds)


def wait_learned(namespace, wanted, family, protocol, seconds=20):
    wanted = {prefix: frozenset(hops) for prefix, hops in wanted.items()}
    seen = {}

    def settled():
        seen.clear()
        seen.update(learned(namespace, family, protocol))
        return seen == wanted

    try:
        wait_until(settled, seconds, "")
    except Exception:
        check_equal(seen, wanted, f"kernel routes of {namespace.name} (seen, wanted) after {seconds} s")

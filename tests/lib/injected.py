"""Routes with chosen attributes put into a daemon by ExaBGP, and the same routes in the words of `bgplite policy`."""
import dataclasses

from peers import Exabgp


@dataclasses.dataclass
class Route:
    prefix: str
    next_hop: str
    as_path: tuple = ()  # Numbers; a tuple inside is an AS_SET.
    origin: str = "igp"
    med: int = None
    local_pref: int = 100
    communities: tuple = ()
    large: tuple = ()
    targets: tuple = ()  # Route targets, "65001:1".

    def exabgp(self):
        words = [f"announce route {self.prefix} next-hop {self.next_hop} origin {self.origin}"]
        if self.as_path:
            inside = " ".join(
                "( " + " ".join(map(str, one)) + " )" if isinstance(one, tuple) else str(one) for one in self.as_path
            )
            words.append(f"as-path [ {inside} ]")
        words.append(f"local-preference {self.local_pref}")
        if self.med is not None:
            words.append(f"med {self.med}")
        if self.communities:
            words.append("community [ " + " ".join(self.communities) + " ]")
        if self.large:
            words.append("large-community [ " + " ".join(self.large) + " ]")
        if self.targets:
            words.append("extended-community [ " + " ".join(f"target:{t}" for t in self.targets) + " ]")
        return " ".join(words)

    def as_path_text(self):
        return " ".join(
            "{" + ",".join(map(str, sorted(set(one)))) + "}" if isinstance(one, tuple) else str(one)
            for one in self.as_path
        )

    def policy_route(self):
        """For --route and the routes of tests; JSON is YAML."""
        route = {
            "prefix": self.prefix,
            "next_hop": self.next_hop,
            "as_path": self.as_path_text() or "none",
            "origin": self.origin,
            "local_pref": str(self.local_pref),
        }
        if self.med is not None:
            route["med"] = str(self.med)
        if self.communities:
            route["community"] = list(self.communities)
        if self.large:
            route["large_community"] = list(self.large)
        if self.targets:
            route["extended_community"] = [f"rt:{t}" for t in self.targets]
        return route


class Injector(Exabgp):
    """ExaBGP that announces `routes` (values of Route) instead of bare prefixes."""

    routes = ()

    def inject(self, routes):
        self.routes = list(routes)
        with open(self.dir / "pipe", "w") as pipe:
            pipe.write("".join(route.exabgp() + "\n" for route in self.routes))

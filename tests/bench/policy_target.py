"""bgplite and BIRD with a policy of twenty terms on import and on export, as targets of the bench harness:

    run.py --target-file tests/bench/policy_target.py --target bgplite,bgplite-policy,bird,bird-policy \\
        --scenario a --case 1M --runs 3 --out results.json
    python3 tests/bench/policy_target.py results.json

The two policies say the same: ten kinds of bogons, long prefixes, long paths, reserved and documentation ASNs,
blackholes, far MEDs; then marks and preferences by community, origin and neighbor. Every route of the harness passes
the refusals, so each costs all terms.
"""
import json
import pathlib
import sys

if __name__ != "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    from bgplite_target import Bgplite
    from targets import Bird

BOGONS = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3",
]  # fmt: skip

TERMS = [
    *({"match": {"prefix": f"{p} orlonger"}, "reject": True} for p in BOGONS),
    {"match": {"prefix": "0.0.0.0/0 ge 25"}, "reject": True},
    {"match": {"as_path_length": "51.."}, "reject": True},
    {"match": {"as_path_contains": "65536..65551"}, "reject": True},
    {"match": {"as_path_contains": ["64198..64495", "64496..64511"]}, "reject": True},
    {"match": {"community": "65535:666"}, "reject": True},
    {"match": {"med": "100000.."}, "reject": True},
    {"match": {"community": "174:*"}, "then": {"local_pref": 80}, "next": True},
    {"match": {"origin": "incomplete"}, "then": {"add_community": "65000:2"}, "next": True},
    {"match": {"neighbor_as": "64000..64010"}, "then": {"med": 50}, "next": True},
    {"match": {"community": "*:100"}, "then": {"weight": 0}, "accept": True},
    {"accept": True},
]

BIRD_FILTER = """
filter twenty {
%s
  if net ~ [ 0.0.0.0/0{25,32} ] then reject;
  if bgp_path.len > 50 then reject;
  if bgp_path ~ [ 65536..65551 ] then reject;
  if bgp_path ~ [ 64198..64495, 64496..64511 ] then reject;
  if (65535, 666) ~ bgp_community then reject;
  if defined(bgp_med) && bgp_med >= 100000 then reject;
  if bgp_community ~ [ (174, *) ] then bgp_local_pref = 80;
  if bgp_origin = ORIGIN_INCOMPLETE then bgp_community.add((65000, 2));
  if bgp_path.first ~ [ 64000..64010 ] then bgp_med = 50;
  if bgp_community ~ [ (*, 100) ] then accept;
  accept;
}
""" % "\n".join(f"  if net ~ [ {p}+ ] then reject;" for p in BOGONS)


def main(results):
    """The figures: with policy against without, and against BIRD with the same filter."""
    case, rows = next((c, r) for c, r in results["cases"].items() if c.startswith("a ") and "1M" in c)
    time = {name: row["median"]["time_s"] for name, row in rows.items()}
    print(case)
    for name, seconds in sorted(time.items()):
        print(f"  {name:16} {seconds:7.3f} s")
    print(f"  with policy / without    {time['bgplite-policy'] / time['bgplite']:.2f}  (aim 1.3)")
    print(f"  with policy / BIRD's     {time['bgplite-policy'] / time['bird-policy']:.2f}  (aim 0.5)")


if __name__ == "__main__":
    main(json.loads(pathlib.Path(sys.argv[1]).read_text()))
else:

    class BgplitePolicy(Bgplite):
        name = "bgplite-policy"

        def files(self, spec, d):
            config = json.loads(super().files(spec, d)["bgplite.yaml"])
            config["policies"] = {"twenty": TERMS}
            for peer in config["peers"].values():
                del peer["accept_all"]
                peer["import"] = peer["export"] = "twenty"
            return {"bgplite.yaml": json.dumps(config, indent=1) + "\n"}

    class BirdPolicy(Bird):
        name = "bird-policy"

        def files(self, spec, d):
            text = super().files(spec, d)["bird.conf"]
            filtered = text.replace("import all; export all", "import filter twenty; export filter twenty")
            return {"bird.conf": BIRD_FILTER + filtered}

    TARGETS = {"bgplite": Bgplite(), "bgplite-policy": BgplitePolicy(), "bird-policy": BirdPolicy()}

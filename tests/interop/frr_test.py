#!/usr/bin/env python3
# kind: default
# seconds: 600
"""bgplite as the on-premises gateway against FRR as the cloud's, configured as strongSwan's document configures it.

The oracle is the kernel of the learning side (`ip -j route`) against what the other side announced, by value.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import pairs
from cases import case, main
from peers import Frr
from routes import VPC, check_learned

pairs.register(Frr)


@case("the document's two tunnels give ECMP routes over both")
def document(lab):
    gateway, cloud, ours, theirs = pairs.document(lab)
    check_learned(gateway, VPC, {("169.254.10.1", "ipsec0", 1), ("169.254.20.1", "ipsec1", 1)}, pairs.OURS)
    check_learned(
        cloud, pairs.ON_PREMISES, {("169.254.10.2", "ipsec0", 1), ("169.254.20.2", "ipsec1", 1)}, Frr.kernel_protocol
    )


if __name__ == "__main__":
    main()

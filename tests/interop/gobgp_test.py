#!/usr/bin/env python3
# kind: default
# seconds: 900
"""bgplite against GoBGP, which installs no routes: what it learned is read from its own table, what we did
from our kernel."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import pairs
from cases import main
from peers import Gobgp

pairs.register(Gobgp, many=100, default_rows=1)  # Its command line announces a prefix per process.

if __name__ == "__main__":
    main()

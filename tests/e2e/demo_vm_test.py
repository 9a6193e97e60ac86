#!/usr/bin/env python3
# kind: default
# where: vm
# seconds: 600
"""The demo on a kernel with XFRM interfaces: keyed SAs, ESP between the gateways."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import demo_test  # Registers its cases.
from cases import main

if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# kind: default
# seconds: 600
"""bgplite against BIRD 2. The oracle is the kernel of the learning side against what the other announced, by value."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import pairs
from cases import main
from peers import Bird

pairs.register(Bird)

if __name__ == "__main__":
    main()

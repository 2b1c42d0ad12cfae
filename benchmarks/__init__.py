"""Speed and memory, measured as ratios within one run: `make bench`. Figures of different machines do not compare."""

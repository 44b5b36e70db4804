"""Random faults against real processes, and a checker that says whether every promise was kept.

`__main__` puts it together: `arena` is the installation, `mix` and `clients` the work, `faults` what goes wrong,
`evidence` what is read afterwards, `invariants` what must be true of it, and `result` what is said in the end.
"""

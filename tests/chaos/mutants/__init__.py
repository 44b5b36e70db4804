"""Bugs that are planted on purpose, so that each layer of the proof shows that it can see.

As a Django app (`DOTDO_APPS=tests.chaos.mutants CHAOS_MUTANT=no-fence`) they get into real processes; in a test's own
process `planted` puts one in for the length of a block.
"""

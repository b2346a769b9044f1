"""Engines: what carries out the cells of a run, in this process or by workers on one machine or many."""

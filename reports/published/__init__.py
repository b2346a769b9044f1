"""Figures copied from papers' tables, one CSV file a table; the README beside them names the sources."""

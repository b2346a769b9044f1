"""From the ledger to results: figures, comparisons, sweeps, charts and the report of a run."""

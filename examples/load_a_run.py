"""Open a run, make tables and plot them.

The run is that of ``toklab run demo``, in the folder ``runs/demo``. The cells run one by one in an editor that knows
``# %%``, or all at once: ``python3 load_a_run.py``.
"""

# %% Open the run
import matplotlib.pyplot as plt
from toklab.bench import open_run

run = open_run("runs/demo")
print(run)

# %% Figures: one line for each tokenizer and metric
figures = run.table()
figures = figures[figures["value"].notna()]
print(figures[["label", "metric", "value", "low", "high", "n", "counted"]].to_string(index=False))

# %% The same as a matrix, one row for each tokenizer
matrix = figures.pivot_table(index=["group", "label"], columns="metric", values="value")
matrix.to_csv("figures.csv")

# %% Quality against bits, with 95 % intervals
points, axes = figures.set_index(["label", "metric"]), plt.subplots(layout="constrained")[1]
for label in figures["label"].unique():
    quality, bits = points.loc[(label, "psnr")], points.loc[(label, "bpp"), "value"]
    error = [[quality["value"] - quality["low"]], [quality["high"] - quality["value"]]]
    axes.errorbar(bits, quality["value"], yerr=error, fmt="o", capsize=3, label=label)
axes.set(xlabel="bits per pixel", ylabel="PSNR (dB)", xscale="log")
axes.legend()
axes.figure.savefig("quality_against_bits.png", dpi=150)

# %% Every window: where is the first tokenizer at its worst?
windows = run.windows().query("metric == 'psnr'")
worst = windows[windows["label"] == figures["label"].iloc[0]].nsmallest(5, "value")
print(worst[["source", "window", "value"]].to_string(index=False))

# %% Two tokenizers on the same windows
first, second = figures["label"].unique()[:2]
print(run.compare(first, second)[["metric", "difference", "low", "high", "better"]].to_string(index=False))
plt.show()

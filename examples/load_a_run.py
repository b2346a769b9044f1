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
figures = run.table().dropna(subset=["value"])
print(figures.to_string(columns=["label", "metric", "value", "low", "high", "n", "counted"], index=False))

# %% The same as a matrix, one row for each tokenizer
matrix = figures.pivot_table(index=["group", "label"], columns="metric", values="value")
matrix.to_csv("figures.csv")

# %% Quality against bits, with 95 % intervals
figure, axes = plt.subplots(layout="constrained")
for label, own in figures.groupby("label"):
    by_metric = own.set_index("metric")
    bits, quality = by_metric["value"]["bpp"], by_metric["value"]["psnr"]
    error = [[quality - by_metric["low"]["psnr"]], [by_metric["high"]["psnr"] - quality]]
    axes.errorbar(bits, quality, yerr=error, fmt="o", capsize=3, label=label)
axes.set(xlabel="bits per pixel", ylabel="PSNR (dB)", xscale="log")
axes.legend()
figure.savefig("quality_against_bits.png", dpi=150)

# %% Every window: where is the first tokenizer at its worst?
labels = list(figures["label"].unique())
psnr = run.windows().query("metric == 'psnr' and label == @labels[0]")
print(psnr.sort_values("value").head().to_string(columns=["source", "window", "value"], index=False))

# %% The first two tokenizers on the same windows
differences = run.compare(labels[0], labels[1])
print(differences.to_string(columns=["metric", "difference", "low", "high", "better"], index=False))
plt.show()

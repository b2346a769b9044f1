from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toklab.reports.tables.ranking import rank_figures, tied

once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
values = st.lists(st.floats(0, 50, allow_nan=False) | st.just(float("nan")), min_size=1, max_size=8)


@once
@given(values=values)
def test_best_and_second_are_the_ends_of_the_order(figure, values):
    for metric, better in (("psnr", max), ("flicker", min)):
        ranks = rank_figures([figure(metric=metric, value=value) for value in values])
        decimals = figure(metric=metric).decimals
        printed = [f"{value:.{decimals}f}" for value in values]
        there = [value for value in values if value == value]
        assert all(rank == "" for rank, value in zip(ranks, values, strict=True) if value != value)
        if len(there) < 2:
            assert set(ranks) <= {""}
            continue
        best = f"{better(there):.{decimals}f}"
        assert {text for text, rank in zip(printed, ranks, strict=True) if rank == "best"} == {best}
        rest = [value for value, text in zip(values, printed, strict=True) if value == value and text != best]
        second = {text for text, rank in zip(printed, ranks, strict=True) if rank == "second"}
        assert second == ({f"{better(rest):.{decimals}f}"} if rest else set())


@once
@given(values=values)
def test_ranks_do_not_depend_on_the_order_of_rows(figure, values):
    figures = [figure(value=value, tokenizer=str(i)) for i, value in enumerate(values)]
    forward = dict(zip(map(id, figures), rank_figures(figures), strict=True))
    backward = rank_figures(figures[::-1])
    assert [forward[id(f)] for f in figures[::-1]] == backward


def test_figures_tie_if_each_lies_in_the_others_interval(figure):
    a = figure(value=30.0, low=29.0, high=31.0)
    b = figure(value=30.5, low=29.5, high=31.5)
    c = figure(value=30.9, low=30.6, high=31.2)
    assert tied(a, b)
    assert tied(b, a)
    assert not tied(a, c)
    assert rank_figures([a, b, figure(value=20.0)]) == ["best", "best", "second"]


def test_printed_digits_tie_at_the_coarser_precision(figure):
    assert tied(figure(value=0.853, decimals=3), figure(value=0.8527, decimals=4))
    assert not tied(figure(value=0.853, decimals=3), figure(value=0.8513, decimals=4))


def test_metrics_without_a_better_end_are_not_ranked(figure):
    assert rank_figures([figure(direction="none", value=v) for v in (1.0, 2.0)]) == ["", ""]

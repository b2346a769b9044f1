import pytest
from toklab.reports.published.literature import read_published
from toklab.reports.published.sizes import vidtok_sizes
from toklab.reports.schema import TableError


@pytest.mark.parametrize("table", [2, 5])
def test_sizes_are_the_printed_ones_each_with_a_card_of_its_own(table):
    sizes = vidtok_sizes(table)
    printed = list(read_published(f"vidtok_table{table}.csv"))
    assert [size.params_m for size in sizes] == [row["params_m"] for row in printed]
    assert [size.macs_t for size in sizes] == [row.get("macs_t", "") for row in printed]
    assert len({size.tokenizer for size in sizes}) == len(sizes)
    assert {size.size for size in sizes} <= {(17, 256, 256), (16, 256, 256)}


def test_other_tables_have_no_sizes():
    with pytest.raises(TableError, match="no published Table 3 with sizes; there are: 1, 2, 5"):
        vidtok_sizes(3)

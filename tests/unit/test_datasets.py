"""Loaded frames against what their publishers and the literature say of them; stand-ins against the real frames."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import datasets
from helpers.datasets import cards, sources, standins
from helpers.errors import DataError

TABLES = [
    (name, table)
    for name in datasets.names()
    for table in datasets.info(name).tables
    if (name, table) != ("ulb_creditcard", "transactions")
]


@pytest.fixture(scope="session")
def load():
    """`datasets.load` that skips where the real data is not at hand: no mirror, and the cache does not have it."""

    def loaded(name, table=None, **options):
        entry = datasets.info(name)
        for file in (entry.file(path) for path in entry.tables[table or next(iter(entry.tables))].files):
            if not sources.mirror() and sources.state(entry, file) != "ok":
                pytest.skip(f"{name}: no COURSE_DATA_MIRROR, and {file.path} is not in the cache")
        return datasets.load(name, table, **options)

    return loaded


@pytest.fixture(params=TABLES, ids="/".join)
def both(request, load):
    name, table = request.param
    return load(name, table, allow_sample=name == "ulb_creditcard"), standins.make(datasets.info(name), table)


def test_real_and_stand_in_have_the_same_schema(both):
    real, made = both
    assert real.attrs["origin"] in ("real", "sample")
    assert real.shape == made.shape
    pd.testing.assert_series_equal(real.dtypes, made.dtypes)
    pd.testing.assert_series_equal(real.isna().sum(), made.isna().sum())
    assert type(real.index) is type(made.index) and real.index.name == made.index.name
    if isinstance(real.index, pd.DatetimeIndex):
        assert (real.index[0], real.index[-1]) == (made.index[0], made.index[-1])
        assert made.index.is_unique and made.index.is_monotonic_increasing and real.index.tz is None


def test_attrs_and_record(load, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RECORD", str(tmp_path / "record.jsonl"))
    frame = load("vix")
    entry = datasets.info("vix")
    assert frame.attrs == {"name": "vix", "table": "vix", "origin": "real", "citation": entry.citation}
    (line,) = (tmp_path / "record.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "kind": "data", "name": "vix", "origin": "real", "sha256": {"vix-daily.csv": entry.files[0].sha256}
    }  # fmt: skip


@pytest.mark.parametrize(("name", "table"), [("german_credit", None), ("sp500_ohlcv", "gspc"), ("banking77", None)])
def test_same_frame_twice(load, name, table):
    pd.testing.assert_frame_equal(load(name, table), load(name, table))


def test_german_credit(load):
    frame = load("german_credit")
    assert frame["default"].value_counts().to_dict() == {0: 700, 1: 300}
    first = frame.iloc[0]  # A11 6 A34 A43 1169 A65 A75 4 A93 A101 4 A121 67 A143 A152 2 A173 1 A192 A201 1
    assert (first["checking_status"], first["purpose"]) == ("below 0 DM", "radio or television")
    assert (first["duration_months"], first["credit_amount"], first["age"]) == (6, 1169, 67)
    assert (first["housing"], first["foreign_worker"], first["default"]) == ("own", "yes", 0)
    assert frame["checking_status"].value_counts().to_dict() == {
        "no checking account": 394, "below 0 DM": 274, "0 to 200 DM": 269, "200 DM or more": 63
    }  # fmt: skip


def test_taiwan_default(load):
    frame = load("taiwan_default")
    assert frame["default"].sum() == 6636
    assert frame.duplicated().sum() == 35
    assert "pay_1" not in frame and list(frame["education"].value_counts().sort_index())[:3] == [14, 10585, 14030]
    assert frame.iloc[0][["limit_bal", "age", "pay_0", "bill_amt1", "pay_amt2"]].tolist() == [20000, 24, 2, 3913, 689]


def test_sp500(load):
    frame, other = load("sp500_ohlcv"), load("sp500_ohlcv", "sp500_2000")
    common = frame.loc[other.index]
    assert len(common) == len(other) == 5105
    np.testing.assert_allclose(common["close"], other["close"], atol=1e-6)
    assert frame["close"].pct_change().idxmin() == pd.Timestamp("1987-10-19")
    assert frame["close"].pct_change().min() == pytest.approx(-0.2047, abs=1e-4)
    assert (frame["adj_close"] == frame["close"]).all() and (frame.loc["1950":, "volume"] > 0).all()
    assert frame.loc[:"1961", ["open", "high", "low"]].isna().all(axis=None)
    bars = frame.loc["1962":]
    ends = bars[["open", "close"]]
    assert (bars["high"] >= ends.max(axis=1)).all() and (bars["low"] <= ends.min(axis=1)).all()
    assert (bars.loc["1982-04-20":, "open"] > 0).all()


def test_sp500_opens_that_repeat_the_close_before_as_the_catalogue_says(load):
    frame = load("sp500_ohlcv")
    stale = (frame["open"] - frame["close"].shift()).abs() < 1e-6
    share = stale.groupby(frame.index.year).mean()
    assert round(share[1984], 2) == 0.87
    assert share.loc[1996:2005].between(0.945, 0.985).all()
    assert share[2008] < 0.02


def test_vix(load):
    frame = load("vix")
    assert frame["close"].idxmax() == pd.Timestamp("2020-03-16") and frame["close"].max() == 82.69
    ends = frame[["open", "close"]]
    assert (frame["high"] < ends.max(axis=1)).sum() == 20 and (frame["low"] > ends.min(axis=1)).sum() == 27
    flat = frame["high"] == frame["low"]
    assert flat.loc[:"1991"].all() and not flat.loc["1992":"2003"].any()


def test_skfolio(load):
    prices, index = load("skfolio"), load("skfolio", "index")
    assert prices.index.equals(index.index) and prices.shape[1] == 20
    gspc = load("sp500_ohlcv").loc[index.index, "close"]
    np.testing.assert_allclose(index["sp500"], gspc, atol=0.011)
    volatility = load("skfolio", "implied_vol").mean(axis=1)
    vix = load("vix")["close"].reindex(volatility.index)
    assert volatility.corr(vix) > 0.9


def test_bank_marketing(load):
    frame, full = load("bank_marketing"), load("bank_marketing", "full")
    assert (frame["subscribed"].sum(), full["subscribed"].sum()) == (4640, 5289)
    assert frame.duplicated().sum() == 12 and (frame["pdays"] == 999).mean() > 0.95 and full["pdays"].min() == -1
    for small, large in (("additional", frame), ("bank", full)):
        sample = load("bank_marketing", small)
        assert len(sample.merge(large.drop_duplicates())) == len(sample), "the 10 % samples are rows of the whole"
    assert frame["euribor3m"].iloc[0] == 4.857


def test_treasury(load):
    frame = load("treasury_h15")
    assert frame.isna().all(axis=1).sum() == 691 and (frame.index.day_of_week < 5).all()
    assert frame["y1"].max() == pytest.approx(0.1731), "fractions, not per cent"
    assert frame["y10"].max() == pytest.approx(0.1584)
    assert frame["m1"].first_valid_index() == pd.Timestamp("2001-07-31")
    assert frame.loc["1987":"1993-09", "y20"].loc["1988":].isna().all()


def test_fama_french(load):
    three, five, momentum = (load("fama_french", table) for table in ("factors3", "factors5", "momentum"))
    assert three["mkt_rf"].loc["1987-10-19"] == pytest.approx(-0.1743, abs=2e-3), "fractions, not per cent"
    common = three.index.intersection(five.index)
    assert len(common) == len(five) and (three.loc[common, "mkt_rf"] - five["mkt_rf"]).abs().max() < 2e-4
    index = np.expm1(np.log(load("skfolio", "index")["sp500"]).diff())
    assert (three["mkt_rf"] + three["rf"]).reindex(index.index).corr(index) > 0.99
    assert momentum["mom"].min() > -0.25
    five_industries, ten = load("fama_french", "industries5"), load("fama_french", "industries10")
    assert five_industries.loc["1926-07-01"].tolist() == pytest.approx([-0.0008, 0.0022, -0.0011, 0.0097, 0.0020])
    assert (ten["hlth"].reindex(five_industries.index) - five_industries["hlth"]).abs().median() < 1e-4


def test_cc_general(load):
    frame = load("cc_general")
    assert frame["cust_id"].is_unique and frame["minimum_payments"].isna().sum() == 313
    assert frame["cash_advance_frequency"].max() == 1.5


def test_banknote(load):
    frame = load("banknote")
    assert frame["label"].value_counts().to_dict() == {0: 762, 1: 610} and frame.duplicated().sum() == 24
    assert frame.iloc[0].tolist() == [3.6216, 8.6661, -2.8073, -0.44699, 0]


def test_online_retail(load):
    frame = load("online_retail")
    assert frame["invoice"].nunique() == 25_900 and frame["customer_id"].nunique() == 4_372
    assert (frame["quantity"] * frame["unit_price"]).sum() == pytest.approx(9_747_747.934)
    assert (frame["quantity"] < 0).sum() == 10_624 and frame["time"].is_monotonic_increasing
    assert frame["invoice"].str.startswith("C").sum() == 9_288
    first = frame.iloc[0]
    assert (first["invoice"], first["stock_code"], first["customer_id"]) == ("536365", "85123A", 17850)
    assert (first["time"], first["unit_price"]) == (pd.Timestamp("2010-12-01 08:26"), 2.55)


def test_bank_churners(load):
    frame = load("bank_churners")
    assert frame["churned"].sum() == 1_627 and frame["clientnum"].is_unique
    assert not [name for name in frame if "naive" in name], "two columns of the file are made with the label"
    unknown = {name: int((frame[name] == "Unknown").sum()) for name in frame.select_dtypes("category")}
    assert {name: n for name, n in unknown.items() if n} == {
        "education_level": 1_519, "marital_status": 749, "income_category": 1_112
    }  # fmt: skip


def test_mnist(load):
    frame = load("mnist_test")
    assert frame["label"].value_counts().sort_index().tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert frame["label"].iloc[:5].tolist() == [7, 2, 1, 0, 4]
    image = frame.iloc[2, 1:].to_numpy().reshape(28, 28)  # a one: most of its ink in the middle columns
    assert image[:, 9:19].sum() > 0.95 * image.sum()


def test_banking77(load):
    frame = load("banking77")
    assert frame["split"].value_counts().to_dict() == {"train": 10003, "test": 3080}
    counts = frame.groupby(["split", "intent"], observed=True).size()
    assert (counts["test"] == 40).all() and (counts["train"].min(), counts["train"].max()) == (35, 187)
    assert frame["text"].is_unique


def test_sample_is_asked_for_and_says_what_it_is(load, capsys):
    frame = load("ulb_creditcard", "sample", allow_sample=True)
    assert frame.attrs["origin"] == "sample" and frame["fraud"].sum() == 492
    assert frame.loc[frame["fraud"] == 1, "amount"].sum() == pytest.approx(60_127.97)
    note = capsys.readouterr().out
    assert "SAMPLE (5,412 of 284,807 rows)" in note and "PR-AUC on it say nothing" in note
    with pytest.raises(DataError, match="allow_sample=True"):
        datasets.load("ulb_creditcard", "sample")


def test_stand_ins_are_seeded_and_plausible():
    def make(name, table):
        return standins.make(datasets.info(name), table)

    pd.testing.assert_frame_equal(make("german_credit", "applicants"), make("german_credit", "applicants"))
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    frame = make("german_credit", "applicants")
    inputs = pd.get_dummies(frame.drop(columns="default")).astype(float)
    inputs = (inputs - inputs.mean()) / inputs.std().replace(0, 1)
    scores = cross_val_score(LogisticRegression(max_iter=300), inputs, frame["default"], cv=5, scoring="roc_auc")
    assert 0.68 < scores.mean() < 0.88
    bars = make("sp500_ohlcv", "gspc")
    returns = np.log(bars["close"].loc["1962":]).diff().dropna()
    assert 0.006 < returns.std() < 0.02 and returns.kurt() > 2 and abs(returns.autocorr(1)) < 0.05
    assert (returns**2).autocorr(1) > 0.05, "volatility clusters"
    assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).loc["1990":].all()
    assert len(bars.loc["1990":"2022"].index.difference(make("vix", "vix").index)) < 20, "days match between sets"
    assert 0.2 < np.log(make("skfolio", "prices")).diff().corr().mean().mean() < 0.8


def test_cards_state_what_the_files_hold():
    if not sources.mirror() and any(
        "missing" in datasets.verify(name).values() for name in datasets.names() if name != "ulb_creditcard"
    ):
        pytest.skip("no COURSE_DATA_MIRROR, and the cache does not hold all sets")
    assert cards.stale() == [], "run `python -m helpers.datasets.cards`"


def explained(text: str) -> set[str]:
    """What a card names: `a`, and all of `a1` … `a9`."""
    words = set(re.findall(r"`([^`\n]+)`", text))
    for first, last in re.findall(r"`(\w+)` … `(\w+)`", text):
        (stem, low), (same, high) = (re.fullmatch(r"(.*?)(\d*)", end).groups() for end in (first, last))
        if stem == same and low:
            words |= {f"{stem}{i:0{len(low)}d}" for i in range(int(low), int(high) + 1)}
    return words


def test_what_a_card_names():
    assert explained("`age`, `pay_0`, `pay_2` … `pay_4`; `x08` … `x10` and a word") == {
        "age", "pay_0", "pay_2", "pay_3", "pay_4", "x08", "x09", "x10"
    }  # fmt: skip


@pytest.mark.parametrize("name", datasets.names())
def test_every_column_is_explained_on_its_card(name):
    text = (cards.CARDS / f"{name}.md").read_text(encoding="utf-8").partition(cards.OPEN)[0]
    words = explained(text)
    for key, table in datasets.info(name).tables.items():
        tickers = key in words and "one column a ticker" in text  # said once for all of the table
        unknown = [column for column in table.columns if column not in words and not (tickers and column.isupper())]
        assert not unknown, f"{key}: {unknown}"


def test_fetch_verify_and_places(load, tmp_path, monkeypatch):
    if not sources.mirror():
        pytest.skip("no COURSE_DATA_MIRROR")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    assert datasets.cache_dir() == tmp_path and "mirror" in datasets.source()
    assert datasets.verify("german_credit") == {"german.data": "missing", "german.doc": "missing"}
    paths = datasets.fetch("german_credit")
    assert paths == [tmp_path / "german_credit" / "german.data", tmp_path / "german_credit" / "german.doc"]
    assert set(datasets.verify("german_credit").values()) == {"ok"}
    paths[1].write_bytes(paths[1].read_bytes()[:-1])
    assert datasets.verify("german_credit") == {"german.data": "ok", "german.doc": "corrupt"}
    monkeypatch.delenv("COURSE_DATA_MIRROR")
    assert datasets.source() == "the publishers"


def test_default_cache_is_the_users_own(monkeypatch):
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)
    assert datasets.cache_dir().name == "deep-learning-in-finance"
    assert Path(os.path.expanduser("~")) in datasets.cache_dir().parents or "XDG_CACHE_HOME" in os.environ

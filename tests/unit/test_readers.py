"""What the readers make of the sets' files, against other readings of the same bytes and against published numbers."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import itertools
import json
import re
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest

from helpers import datasets
from helpers.datasets import readers, sources


@pytest.fixture(scope="session")
def raw():
    """The bytes of a set's file; skips where they are not at hand: no mirror, and the cache does not have them."""

    def content(name: str, path: str) -> bytes:
        entry = datasets.info(name)
        file = entry.file(path)
        if not sources.mirror() and sources.state(entry, file) != "ok":
            pytest.skip(f"{name}: no COURSE_DATA_MIRROR, and {path} is not in the cache")
        return sources.obtain(entry, file)

    return content


@pytest.fixture
def read(raw):
    """A table of a set, from the bytes of its files."""

    def frame(name: str, table: str | None = None) -> pd.DataFrame:
        entry = datasets.info(name)
        table = table or next(iter(entry.tables))
        return readers.parse(entry, table, {path: raw(name, path) for path in entry.tables[table].files})

    return frame


def counts(values: pd.Series) -> dict:
    return values.value_counts().to_dict()


# -------------------------------------------------------------------------------------------------------------- tables


def test_codes_become_the_levels_that_the_publisher_gives_them(read, raw):
    frame = read("german_credit")
    codes = [line.split() for line in raw("german_credit", "german.data").decode().splitlines()]
    meant = dict(zip([row[3] for row in codes], frame["purpose"], strict=True))  # german.doc, attribute 4
    assert (meant["A40"], meant["A48"], meant["A410"]) == ("car (new)", "retraining", "others")
    assert [int(row[20]) - 1 for row in codes] == frame["default"].tolist()


def test_credit_data_has_the_gaps_and_the_balance_of_its_documentation(read):
    frame = read("credit_data")
    assert frame.shape == (4454, 14) and frame["bad"].sum() == 1254 and frame.isna().sum().sum() == 455
    assert frame.iloc[0].tolist() == [0, 9, "rent", 60, 30, "married", "no", "freelance", 73, 129, 0, 0, 800, 846]


def test_lending_club(read, raw):
    loans, full = read("lending_club"), read("lending_club", "full")
    assert loans["bad"].sum() == 517 and full.isna().sum().sum() == 42_191
    rows = list(csv.DictReader(io.StringIO(raw("lending_club", "loans_full_schema.csv").decode())))
    assert full["loan_amount"].sum() == sum(int(row["loan_amount"]) for row in rows) == 163_619_225
    assert counts(full["loan_status"])["Charged Off"] == 7
    assert full["emp_title"].dropna().tolist() == [row["emp_title"] for row in rows if row["emp_title"]]


def test_bank_churn(read):
    frame = read("bank_churn")
    assert frame["exited"].sum() == 2037 and (frame["balance"] == 0).sum() == 3617
    assert not {"CustomerId", "Surname", "RowNumber"} & set(frame)


def test_danish_fire_losses_are_those_of_mcneil(read):
    losses = read("danish_fire")["loss"]
    assert len(losses) == 2167 and losses.mean() == pytest.approx(3.385, abs=5e-4)
    assert losses.max() == pytest.approx(263.25, abs=5e-3) and (losses > 10).sum() == 109


def test_polish_companies_as_scipy_reads_them(read, raw):
    from scipy.io import arff

    frame = read("polish_bankruptcy")
    theirs = pd.DataFrame(arff.loadarff(io.StringIO(raw("polish_bankruptcy", "5year.arff").decode()))[0])
    np.testing.assert_array_equal(frame.filter(like="attr").to_numpy(), theirs.filter(like="Attr").to_numpy())
    assert frame["bankrupt"].tolist() == theirs["class"].astype(int).tolist() and frame["bankrupt"].sum() == 410
    assert frame.isna().sum().sum() == 4666 and frame["attr37"].isna().sum() == 2548


def test_the_committees_sentences_as_the_sheets_xml_has_them(read, raw):
    frame = read("fomc_hawkish_dovish")
    assert {(split, stance): len(part) for (split, stance), part in frame.groupby(["split", "stance"])} == {
        ("train", "neutral"): 979, ("train", "dovish"): 521, ("train", "hawkish"): 484,
        ("test", "neutral"): 245, ("test", "dovish"): 129, ("test", "hawkish"): 122,
    }  # fmt: skip
    packed = zipfile.ZipFile(io.BytesIO(raw("fomc_hawkish_dovish", "lab-manual-split-combine-test-5768.xlsx")))
    xml = packed.read("xl/worksheets/sheet1.xml").decode()
    years = re.findall(r'<c r="C\d+" t="n"><v>(\d+)</v>', xml)
    assert frame.loc[frame["split"] == "test", "year"].tolist() == list(map(int, years))
    assert frame["sentence"].iloc[0] == "Our mandate, sorry, is price inflation."
    if importlib.util.find_spec("openpyxl"):
        theirs = pd.read_excel(io.BytesIO(raw("fomc_hawkish_dovish", "lab-manual-split-combine-train-5768.xlsx")))
        assert frame.loc[frame["split"] == "train", "sentence"].tolist() == theirs["sentence"].tolist()


# -------------------------------------------------------------------------------------------------------------- prices


@pytest.mark.parametrize("ticker", ["spy", "aapl", "ibm", "bac", "aig", "iwm"])
def test_bars_are_the_files_whole_numbers_over_ten_thousand(ticker, read, raw):
    frame, factors = read("lean_equity", ticker), read("lean_equity", f"{ticker}_factors")
    with zipfile.ZipFile(io.BytesIO(raw("lean_equity", f"daily/{ticker}.zip"))) as packed:
        rows = [line.split(",") for line in packed.read(f"{ticker}.csv").decode().split()[1::2]]
    theirs = np.array([row[1:] for row in rows], float)
    assert (frame.to_numpy() * [1e4, 1e4, 1e4, 1e4, 1] == pytest.approx(theirs)) and len(frame) == len(theirs)
    ends = frame[["open", "close"]]
    assert (frame["high"] >= ends.max(axis=1)).all() and (frame["low"] <= ends.min(axis=1)).all()
    assert factors.index[-1].year == 2050 and (factors.iloc[-1, :2] == 1).all()


def test_factors_take_the_splits_out(read):
    apple, factors = read("lean_equity", "aapl"), read("lean_equity", "aapl_factors")
    assert apple.loc["2014-06-06":"2014-06-09", "close"].tolist() == [645.57, 93.70]
    place = factors.index.searchsorted(apple.index)
    adjusted = apple["close"] * (factors["price_factor"] * factors["split_factor"]).to_numpy()[place]
    assert adjusted.loc["2014-06-06":"2014-06-09"].pct_change().iloc[-1] == pytest.approx(0.016, abs=1e-3)
    assert adjusted.pct_change().abs().max() < 0.6 < apple["close"].pct_change().abs().max()


def test_funds_and_index_move_together(read):
    funds, index = read("etf_prices"), read("skfolio", "index")["sp500"]
    assert np.log(funds["SPY"]).diff().corr(np.log(index).diff()) > 0.99 and not funds.isna().any(axis=None)
    assert funds.iloc[0]["SPY"] == 101.3828125


def test_shillers_zeros_are_gaps(read, raw):
    frame = read("shiller_sp500")
    theirs = pd.read_csv(io.BytesIO(raw("shiller_sp500", "data.csv")))
    assert frame["sp500"].tolist() == theirs["SP500"].tolist() and (frame.index.day == 1).all()
    assert (frame["long_interest_rate"] * 100).fillna(0).to_numpy() == pytest.approx(theirs["Long Interest Rate"])
    assert frame["pe10"].first_valid_index() == pd.Timestamp("1881-01-01")
    assert frame["dividend"].last_valid_index() == pd.Timestamp("2023-06-01")
    assert frame.loc["2000-01", "pe10"].item() == pytest.approx(43.77, abs=0.01)  # the peak of the dot-com year


def test_option_quotes_contract_by_contract(read, raw):
    frame = read("option_chains")
    assert counts(frame["date"].dt.strftime("%Y-%m-%d")) == {"2014-06-06": 2352, "2014-06-09": 2180}
    assert frame["expiry"].nunique() == 13
    by_contract = frame.set_index(["right", "strike", "expiry"]).sort_index()
    with zipfile.ZipFile(io.BytesIO(raw("option_chains", "aapl_2014_quote_american.zip"))) as packed:
        for name in packed.namelist()[::97]:
            right, strike, expiry = re.fullmatch(r"aapl_quote_american_(\w+)_(\d+)_(\d+)\.csv", name).groups()
            ours = by_contract.loc[(right, int(strike) / 10_000, pd.Timestamp(expiry))]
            date, *cells = packed.read(name).decode().split(",")
            theirs = [float(cell) / (1 if i in (4, 9) else 1e4) if cell else np.nan for i, cell in enumerate(cells)]
            assert ours["date"] == pd.Timestamp(date[:8]), name
            assert ours.iloc[1:].astype(float).tolist() == pytest.approx(theirs, nan_ok=True), name
    assert (frame["bid_close"] > frame["ask_close"]).sum() == 0


# ---------------------------------------------------------------------------------------------------------------- text


def test_phrasebank_tables_lie_in_one_another(read):
    tables = [read("financial_phrasebank", name) for name in ("agree_50", "agree_66", "agree_75", "agree_all")]
    assert [len(table) for table in tables] == [4846, 4217, 3453, 2264]
    assert counts(tables[-1]["sentiment"]) == {"neutral": 1391, "positive": 570, "negative": 303}
    for large, small in itertools.pairwise(tables):
        assert set(small["sentence"]) <= set(large["sentence"])


def test_tweets(read, raw):
    frame = read("twitter_financial_news")
    train = frame[frame["split"] == "train"]
    assert counts(train["sentiment"]) == {"neutral": 6178, "bullish": 1923, "bearish": 1442}
    rows = list(csv.reader(io.StringIO(raw("twitter_financial_news", "sent_train.csv").decode(), newline="")))[1:]
    assert train["text"].tolist() == [text for text, _ in rows]


def test_fiqa(read, raw):
    headlines, posts = read("fiqa"), read("fiqa", "posts")
    assert headlines["sentence"].nunique() == 436 and posts["sentence"].nunique() == 675
    theirs = json.loads(raw("fiqa", "task1_headline_ABSA_train.json"))
    scores = [float(each["sentiment_score"]) for item in theirs.values() for each in item["info"]]
    assert headlines.loc[headlines["split"] == "train", "sentiment_score"].tolist() == scores
    assert headlines.iloc[0][["target", "sentiment_score"]].tolist() == ["Royal Mail", -0.374]


def test_clinc150(read, raw):
    frame = read("clinc150")
    theirs = json.loads(raw("clinc150", "data_full.json"))
    for split, rows in theirs.items():
        assert frame.loc[frame["split"] == split, ["text", "intent"]].to_numpy().tolist() == rows
    assert (frame.loc[frame["split"] == "train", "intent"].value_counts().drop("oos") == 100).all()
    assert set(frame.loc[frame["intent"] == "oos", "split"]) == {"oos_train", "oos_val", "oos_test"}


def test_messages_keep_their_quotation_marks(read, raw):
    frame = read("sms_spam")
    lines = raw("sms_spam", "SMSSpamCollection").decode().split("\n")
    assert [
        f"{'spam' if spam else 'ham'}\t{text}" for text, spam in zip(frame["text"], frame["spam"], strict=True)
    ] == [line for line in lines if line]
    assert frame["spam"].sum() == 747 and frame.duplicated().sum() == 403


def test_chinese_posts(read, raw):
    frame = read("finfe_zh")
    rows = json.loads(raw("finfe_zh", "train_list.json")) + json.loads(raw("finfe_zh", "eval_list.json"))
    levels = ["negative", "neutral", "positive"]
    assert frame[["text", "sentiment"]].to_numpy().tolist() == [[text, levels[label]] for text, label in rows]
    train, evaluation = (frame.loc[frame["split"] == split, "text"] for split in ("train", "eval"))
    assert train.duplicated().sum() == 4511 and evaluation.isin(train).sum() == 1097


def test_arrow_stream_without_the_arrow_library(read, raw):
    frame = read("cfbenchmark_zh")
    stream = raw("cfbenchmark_zh", "sentiment.arrow")
    assert counts(frame["sentiment"]) == {"positive": 234, "neutral": 194, "negative": 165}
    answers = {"positive": "积极", "neutral": "中性", "negative": "消极"}
    for column, letters in (("text", frame["text"]), ("answer", frame["sentiment"].map(answers).astype(str))):
        assert "".join(letters).encode() in stream, f"Arrow lays the values of {column} end to end"
    if importlib.util.find_spec("pyarrow"):
        import pyarrow as pa

        theirs = pa.ipc.open_stream(stream).read_all().to_pydict()
        assert frame["text"].tolist() == theirs["input"] and frame["instruction"].tolist() == theirs["instruction"]


# -------------------------------------------------------------------------------------------------- pictures and sound


def test_digits_as_their_files_lay_them(read, raw):
    frame = read("mnist_test")
    pixels = gzip.decompress(raw("mnist_test", "t10k-images-idx3-ubyte.gz"))[16:]
    labels = gzip.decompress(raw("mnist_test", "t10k-labels-idx1-ubyte.gz"))[8:]
    assert frame["label"].tolist() == list(labels)
    assert frame.filter(like="pixel").to_numpy().tobytes() == pixels


def test_receipts_and_their_lines(read, raw):
    from PIL import Image

    receipts, lines = read("sroie_receipts"), read("sroie_receipts", "lines")
    assert len(receipts) == 20 and len(lines) == 1200 and lines["receipt"].nunique() == 20
    for receipt in receipts.itertuples():
        printed = lines[lines["receipt"] == receipt.receipt]
        assert printed["text"].str.contains(receipt.total, regex=False).any(), "the key's total is printed"
        assert receipt.image.shape == (receipt.height, receipt.width, 3)
        assert printed[["x2", "x3"]].max(axis=None) <= receipt.width
        assert printed[["y3", "y4"]].max(axis=None) <= receipt.height
    with Image.open(io.BytesIO(raw("sroie_receipts", "img/007.jpg"))) as theirs:
        assert (receipts["image"][7] == np.array(theirs.convert("RGB"))).all()
    first = raw("sroie_receipts", "box/000.csv").decode().split("\n")[3]
    corners = lines.iloc[3][["x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4"]]
    assert (
        ",".join([*map(str, corners), lines["text"][3]])
        == first
        == "110,144,383,144,383,163,110,163,NO.53 55,57 & 59, JALAN SAGU 18,"
    )


def test_recordings_as_scipy_reads_them(read, raw):
    from scipy.io import wavfile

    frame = read("free_spoken_digit")
    assert (frame.groupby(["digit", "speaker"], observed=True).size() == 50).all() and len(frame) == 2500
    assert (frame.groupby(["speaker"], observed=True)["take"].max() == 49).all()
    keys = frame.set_index(["digit", "speaker", "take"])
    with tarfile.open(fileobj=io.BytesIO(raw("free_spoken_digit", "free-spoken-digit-dataset-1.0.9.tar.gz"))) as packed:
        members = [each for each in packed if each.name.endswith(".wav")][::61]
        files = {each.name: packed.extractfile(each).read() for each in members}
    for name, content in files.items():
        digit, speaker, take = re.fullmatch(r".*/(\d)_(\w+)_(\d+)\.wav", name).groups()
        rate, samples = wavfile.read(io.BytesIO(content))
        ours = keys.loc[(int(digit), speaker, int(take))]
        assert rate == ours["rate"] and (samples == ours["samples"]).all() and ours["samples"].dtype == np.int16
        assert ours["samples"].flags.writeable

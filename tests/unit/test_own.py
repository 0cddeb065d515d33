"""A reader's own file that is messy and usable: what is kept, what is left out, and that each step is said."""

import numpy as np
import pandas as pd
import pytest

from helpers import datasets, evidence

N = 400


@pytest.fixture
def messy(tmp_path):
    rng = np.random.default_rng(3)
    income, late = rng.lognormal(8, 0.5, N), rng.poisson(0.7, N)
    chance = 1 / (1 + np.exp(1.5 - 0.8 * late + 0.6 * (np.log(income) - 8) / 0.5))
    frame = pd.DataFrame(
        {
            "customer_id": [f"C{i:05d}" for i in range(N)],
            "no": np.arange(1, N + 1),
            "opened": pd.date_range("2020-01-01", periods=N).strftime("%d.%m.%Y"),
            "income": [f"€ {v:,.0f}" for v in income],
            "age": rng.integers(18, 70, N).astype(float),
            "job": rng.choice(["clerk", "nurse", " driver", "Müller"], N),
            "late": late,
            "country": "PT",
            "empty": np.nan,
            "employed": rng.random(N) < 0.6,
            "bad": rng.random(N) < chance,
        }
    )
    frame.loc[rng.choice(N, 60, replace=False), "age"] = np.nan
    frame.loc[rng.choice(N, 50, replace=False), "job"] = None
    frame.loc[3, "income"] = "unknown"
    frame.to_csv(tmp_path / "my loans.csv", sep=";", index=False, encoding="cp1252")
    return tmp_path / "my loans.csv", frame


def test_usable_columns_stay_with_their_values_and_the_rest_is_named(messy, capsys):
    path, made = messy
    frame = datasets.read_own(path, "bad")
    assert list(frame) == ["income", "age", "job", "late", "employed", "bad"]
    assert frame["bad"].dtype == "int8" and (frame["bad"] == made["bad"]).all()
    assert frame["age"].isna().sum() == 60 and frame["job"].isna().sum() == 50
    assert set(frame["job"].cat.categories) == {"clerk", "nurse", "driver", "Müller"}
    read = made["income"].str.replace(r"[€ ,]", "", regex=True)
    assert np.isnan(frame["income"][3]) and (frame["income"].drop(3) == read.drop(3).astype(float)).all()
    assert frame.attrs["origin"] == "own" and frame.attrs["table"] == "my loans.csv"
    said = capsys.readouterr().out
    assert "400 rows" in said and "3 columns of numbers, 2 of words; 111 missing cells in 3 columns" in said
    for name in ("customer_id", "no", "opened", "country", "empty"):
        assert f"{name}: left out" in said
    assert "income: text read as numbers, € " in said and "1 unreadable cells taken as missing" in said


def test_a_column_that_looks_like_an_id_can_be_kept(messy):
    assert "no" in datasets.read_own(messy[0], "bad", keep=["no"])
    assert "job" not in datasets.read_own(messy[0], "bad", leave_out=["job"])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_decimals_and_byte_marks(separator, tmp_path):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"a": rng.normal(size=N).round(3), "b": rng.normal(size=N).round(3), "default": np.arange(N) % 2}
    )
    decimal = "," if separator == ";" else "."
    frame.to_csv(tmp_path / "f.csv", sep=separator, decimal=decimal, index=False, encoding="utf-8-sig")
    read = datasets.read_own(tmp_path / "f.csv")
    assert np.allclose(read[["a", "b"]], frame[["a", "b"]]) and (read["default"] == frame["default"]).all()


def test_unique_amounts_are_no_id_and_repeats_are_reported(tmp_path, capsys):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"amount": rng.choice(10**6, N, replace=False), "default": np.arange(N) % 2})
    frame = pd.concat([frame, frame.head(5)])
    frame.to_csv(tmp_path / "f.csv", index=False)
    assert "amount" in datasets.read_own(tmp_path / "f.csv")
    assert "5 rows repeat an earlier one exactly" in capsys.readouterr().out


def test_claims_about_real_sets_are_not_checked_on_it(messy, capsys):
    frame = datasets.read_own(messy[0], "bad")
    evidence.claim("AUC is high", False, on=frame)
    assert "– not checked on data of your own: AUC is high" in capsys.readouterr().out

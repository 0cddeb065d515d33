"""Notebook 28: its loop and its columns agree, its books survive any torn line, and no part reads the future."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmarks.platform import lesson
from helpers import audit, worlds


@pytest.fixture(scope="module")
def parts():
    return lesson()


def frame(seed, days=500):
    """Bars of a simulated market with nights, so that an open is not the close before."""
    bars = worlds.ohlc(worlds.garch11(days, seed=seed), seed=seed)
    rng = np.random.default_rng(seed)
    bars["open"] = bars["low"] + (bars["high"] - bars["low"]) * rng.random(days)
    return bars.assign(volume=1e4 * rng.integers(1, 5, days))


def tape(parts, bars):
    days = bars.index.strftime("%Y-%m-%d")
    return [parts["Bar"](*row) for row in zip(days, *(bars[name].tolist() for name in bars), strict=True)]


def careful(parts, **options):
    return parts["Platform"](parts["Macd"](), parts["Risk"](stop=0.05), parts["Broker"](0.001, 0.2), **options)


@pytest.mark.parametrize("seed", range(5))
def test_loop_and_columns_agree_on_any_market(parts, seed):
    bars = frame(seed)
    account = parts["Platform"](parts["Macd"]()).run(tape(parts, bars)).account
    close, open_ = bars["close"].to_numpy(), bars["open"].to_numpy()
    wealth, orders = parts["column_backtest"](parts["macd_wishes"](close), close, open_)
    assert account.equity == pytest.approx(wealth[-1], abs=1e-6)
    assert account.orders - bool(account.order) == len(orders) > 2


def test_indicators_are_those_of_pandas(parts):
    close = frame(3)["close"].to_numpy()
    begun = pd.Series([close[:12].mean(), *close[12:]])  # at the mean of the first twelve, as LEAN does
    assert np.allclose(parts["ema"](close, 12)[11:], begun.ewm(span=12, adjust=False).mean())
    one = parts["Ema"](12)
    assert np.allclose([one.update(x) for x in close], parts["ema"](close, 12))


def test_affordable_is_the_largest_number_that_fits(parts):
    broker, rng = parts["Broker"](), np.random.default_rng(1)
    for budget, price in zip(rng.uniform(0, 60_000, 300), rng.uniform(0.5, 300, 300), strict=True):
        most = broker.affordable(budget, price)
        assert most == 0 or most * price + broker.fee(most, price) <= budget * (1 + 1e-12)
        assert (most + 1) * price + broker.fee(most + 1, price) > budget


def test_decisions_and_inputs_see_no_future(parts):
    bars = frame(4, 300)

    def decisions(some):
        model, rows = parts["Macd"](), some.to_numpy().copy()
        return np.array([model.target(rows[: t + 1]) for t in range(len(rows))], dtype=float)

    audit.assert_no_lookahead(decisions, bars)
    audit.assert_no_lookahead(lambda some: parts["inputs"](some.to_numpy()), bars)
    with pytest.raises(audit.LeakError):
        audit.assert_no_lookahead(lambda some: pd.DataFrame(parts["inputs"](some.to_numpy())).shift(-1), bars)


def test_61_days_give_the_last_row_of_the_inputs(parts):
    rows = frame(5).to_numpy()
    assert np.array_equal(parts["inputs"](rows[-61:])[-1], parts["inputs"](rows)[-1])


def test_partial_fills_add_up_to_the_order_and_keep_to_their_part_of_the_volume(parts):
    bars = tape(parts, frame(6))
    volume = {bar.day: bar.volume for bar in bars}
    platform = careful(parts, cash=1e7).run(bars)
    fills = [(record["day"], *fill) for record in platform.ledger.records for fill in record["fills"]]
    assert len(fills) > platform.account.orders > 0
    assert all(abs(shares) <= 0.2 * volume[day] for day, shares, *_ in fills)
    assert sum(shares for _, shares, *_ in fills) == platform.account.shares
    paid = sum(shares * price + fee for _, shares, price, fee in fills)
    assert platform.account.cash == pytest.approx(1e7 - paid)


def test_a_ledger_cut_at_any_byte_goes_on_to_the_same_account(parts, tmp_path):
    bars = tape(parts, frame(7, 120))
    whole = tmp_path / "whole"
    expected = careful(parts, ledger=parts["Ledger"](whole), cash=1e6).run(bars)
    content = whole.read_bytes()
    assert expected.account.orders > 0
    for cut in range(0, len(content), 37):
        torn = tmp_path / "torn"
        torn.write_bytes(content[:cut])
        again = careful(parts, ledger=parts["Ledger"](torn), cash=1e6).run(bars)
        assert again.account == expected.account and torn.read_bytes() == content


def test_a_changed_lost_or_moved_line_is_refused(parts, tmp_path):
    path = tmp_path / "ledger"
    careful(parts, ledger=parts["Ledger"](path), cash=1e6).run(tape(parts, frame(7, 60)))
    lines = path.read_bytes().splitlines(keepends=True)
    changed = bytearray(lines[20])
    changed[len(changed) // 2] ^= 1
    for damaged in (
        [*lines[:20], bytes(changed), *lines[21:]],
        lines[:20] + lines[21:],
        lines[:20] + lines[20:22][::-1] + lines[22:],
    ):
        path.write_bytes(b"".join(damaged))
        with pytest.raises(ValueError, match=r"Line 2\d of the ledger"):
            parts["Ledger"](path)


def test_the_collector_refuses_what_is_old_late_or_impossible(parts):
    collector, bar = parts["Collector"](), parts["Bar"]("2020-01-02", 10.0, 11.0, 9.0, 10.0, 100.0)
    assert collector.accept(bar)
    for bad in (
        bar,
        bar._replace(day="2020-01-01"),
        bar._replace(day="2020-01-03", high=9.5),
        bar._replace(day="2020-01-03", low=10.5),
        bar._replace(day="2020-01-03", close=math.nan),
        bar._replace(day="2020-01-03", open=-1.0, low=-1.0),
        bar._replace(day="2020-01-03", volume=-5.0),
    ):
        assert not collector.accept(bad)
    assert collector.accept(bar._replace(day="2020-01-03")) and collector.days == 2


def test_stop_and_kill_switch(parts):
    class Always:
        def target(self, history):
            return 1.0

    closes = [100.0, 100.0, 110.0, 98.0, 90.0, 120.0, 130.0]  # from 110 to 98: more than 10 %
    bars = [parts["Bar"](f"2020-01-{d:02d}", c, c, c, c, 1e6) for d, c in enumerate(closes, 1)]
    stopped = parts["Platform"](Always(), parts["Risk"](stop=0.1)).run(bars)
    assert [record["why"] for record in stopped.ledger.records if record["why"]] == ["rule", "stop"]
    assert stopped.account.shares == 0 and stopped.account.waiting and not stopped.account.dead
    killed = parts["Platform"](Always(), parts["Risk"](kill=0.15)).run(bars)
    assert [record["why"] for record in killed.ledger.records if record["why"]] == ["rule", "kill"]
    assert killed.account.dead and killed.account.shares == 0


@pytest.mark.parametrize("answer", [math.nan, math.inf, "much", RuntimeError()])
def test_a_model_that_fails_is_sold_out_and_not_asked_again(parts, answer):
    class Fails:
        asked = 0

        def target(self, history):
            self.asked += 1
            if self.asked <= 3:
                return 1.0
            if isinstance(answer, Exception):
                raise answer
            return answer

    model = Fails()
    platform = parts["Platform"](model).run(tape(parts, frame(8, 20)))
    assert model.asked == 4 and platform.account.dead and platform.account.shares == 0

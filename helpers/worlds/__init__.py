"""Seeded worlds whose best possible answer is known, so that a model can be told what share of it it found."""

from helpers.worlds.applications import credit_applications
from helpers.worlds.causes import Borrowers, Causes, borrowers, known_causes
from helpers.worlds.clients import Survey, account_history, households
from helpers.worlds.cluster import ClusterRuns, cluster_runs
from helpers.worlds.credit import loan_applicants
from helpers.worlds.drift import Invoices, drifting_invoices, house_prices
from helpers.worlds.entangled import entangled_applicants
from helpers.worlds.hedging import Lattice, share_lattice
from helpers.worlds.lines import market_line, unrelated_walks
from helpers.worlds.losses import LossYears, annual_bounds, count_generating, loss_tails, loss_years
from helpers.worlds.market import Markets, one_factor_markets
from helpers.worlds.news import DatedNews, dated_news
from helpers.worlds.offers import Offers, product_offers
from helpers.worlds.options import Book, HestonPaths, basket_book, heston_paths
from helpers.worlds.pairs import PairMarkets, planted_pairs
from helpers.worlds.payments import DAY, KINDS, Payments, payments
from helpers.worlds.portfolios import company_portfolio
from helpers.worlds.prices import World, ar1, garch11, gbm, ohlc
from helpers.worlds.pricing import LoanOffers, loan_offers
from helpers.worlds.rates import Rates, vasicek
from helpers.worlds.retention import retention_offer
from helpers.worlds.signals import BestTrader, Signals, best_trader, signal_market
from helpers.worlds.sources import Applications, loan_sources

__all__ = [
    "DAY",
    "KINDS",
    "Applications",
    "BestTrader",
    "Book",
    "Borrowers",
    "Causes",
    "ClusterRuns",
    "DatedNews",
    "HestonPaths",
    "Invoices",
    "Lattice",
    "LoanOffers",
    "LossYears",
    "Markets",
    "Offers",
    "PairMarkets",
    "Payments",
    "Rates",
    "Signals",
    "Survey",
    "World",
    "account_history",
    "annual_bounds",
    "ar1",
    "basket_book",
    "best_trader",
    "borrowers",
    "cluster_runs",
    "company_portfolio",
    "count_generating",
    "credit_applications",
    "dated_news",
    "drifting_invoices",
    "entangled_applicants",
    "garch11",
    "gbm",
    "heston_paths",
    "house_prices",
    "households",
    "known_causes",
    "loan_applicants",
    "loan_offers",
    "loan_sources",
    "loss_tails",
    "loss_years",
    "market_line",
    "ohlc",
    "one_factor_markets",
    "payments",
    "planted_pairs",
    "product_offers",
    "retention_offer",
    "share_lattice",
    "signal_market",
    "unrelated_walks",
    "vasicek",
]

"""Frames and series of pandas, whose methods and masks have other meanings."""

import numpy as np
import pandas as pd


def frames(path, df: pd.DataFrame, prices: pd.Series):
    table = pd.read_csv(path)
    table[table < 0] = 0
    np.where(table["a"] > 0, table["a"], 0)
    table["a"] * (table["a"] > 0)
    df["up"] = (df["change"] > 0).astype(int)
    df["up"] = np.where(df["change"] > 0, 1, 0)
    df.loc[df["a"] < 0, "a"] = 0
    gains = prices.diff().clip(0)
    gains = prices.where(prices > 0, 0)
    delta = prices.diff()
    up = delta * (delta > 0)
    np.where(delta > 0, delta, 0)
    delta[delta < 0] = 0
    (df.pnl > 0).mean(axis=0)
    df["a"].clip(lower=0)
    df.clip(0)
    return gains, up

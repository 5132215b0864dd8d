"""Means of products of factors, opened anew now and then: what most e-processes here are made of.

A product of factors forgets nothing: long health would outweigh a late fault. So a new product is
opened after every so many trials, and E is the weighted mean of all. What the factor of a trial is,
is left to others.
"""

from dataclasses import dataclass, replace
from math import inf, log
from typing import Self

import numpy as np

from triune.stats.inputs import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Where the mean over components of products with restarts stands; no more of the past is kept.

    Start j >= 0 weighs 1/((j+1)(j+2)) and opens after trial ``every`` * j. Those not open yet count
    as 1 each; after J+1 starts they weigh 1/(J+2) together. With ``every`` 0 there is but one
    start, of weight 1.

    Parameters
    ----------
    ln_products
        Per component, the logarithm of the weighted sum of the open products.
    trials
        How many have entered.

    References
    ----------
    G. Shafer (2021), JRSS A 184(2): 407-431, on bets and their means; J. Shin, A. Ramdas,
    A. Rinaldo (2024), NEJSDS 2(2): 229-260, on e-processes that are opened again and again.
    """

    ln_products: tuple[float, ...]
    trials: int
    every: int

    @classmethod
    def new(cls, *, components: int, every: int = 0) -> Self:
        """Return what stands before the first trial, which is E = 1."""
        return cls(ln_products=(-log(2) if every else 0.0,) * components, trials=0, every=every)

    @property
    def ln_e(self) -> float:
        """The logarithm of E."""
        products = np.array(self.ln_products)[:, np.newaxis]
        return float(_ln_mean(products, self._ln_unopened(np.array([self.trials])))[0])

    def after(self, ln_factors: FloatArray) -> Self:
        """Take in trials, given as logarithms of their factors: an array (components, trials)."""
        return self._ended(_Sums.of(ln_factors, after=self))

    def path(self, ln_factors: FloatArray) -> FloatArray:
        """Return ln E after each of the trials that `after` would take in."""
        sums = _Sums.of(ln_factors, after=self)
        return self._levels(sums, 0, sums.count)

    def after_peak(self, ln_factors: FloatArray, *, above: float) -> tuple[Self, float]:
        """Take in trials, and return the highest ln E on the way too, or ``above`` if higher.

        Equals the maximum of `path` at a fraction of its cost: where a stretch of trials between
        two starts cannot reach ``above``, no trial of it is looked at.
        """
        sums = _Sums.of(ln_factors, after=self)
        if sums.count:
            begins, ends = sums.begins, np.append(sums.begins[1:], sums.count)
            highest = np.maximum.reduceat(sums.values, begins, axis=1)
            unopened = self._ln_unopened(self.trials + begins)
            bound = _ln_mean(highest + sums.products[:, : len(begins)], unopened)
            for at in np.flatnonzero(bound > above):
                above = max(above, float(self._levels(sums, begins[at], ends[at]).max()))
        return self._ended(sums), above

    def _levels(self, sums: "_Sums", begin: int, end: int) -> FloatArray:
        trials = np.arange(begin, end)
        stretch = np.searchsorted(sums.begins, trials, side="right") - 1
        # The trial that opens a start counts it as not open yet: it is worth its weight either way.
        unopened = self._ln_unopened(self.trials + trials)
        return _ln_mean(sums.values[:, begin:end] + sums.products[:, stretch], unopened)

    def _ended(self, sums: "_Sums") -> Self:
        if not sums.count:
            return self
        products = sums.values[:, -1] + sums.products[:, -1]
        return replace(self, ln_products=tuple(products.tolist()), trials=self.trials + sums.count)

    def _ln_unopened(self, trials: IntArray) -> FloatArray:
        if not self.every:
            return np.full(len(trials), -inf)
        unopened: FloatArray = -np.log(trials // self.every + 2.0)
        return unopened


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """Trials as they enter: sums of the logarithms of their factors, in stretches between starts.

    The products at trial i of stretch s are ``values[:, i] + products[:, s]``. ``products`` has one
    column more than there are stretches where the last trial opens a start.
    """

    values: FloatArray
    begins: IntArray
    products: FloatArray

    @property
    def count(self) -> int:
        return len(self.values[0])

    @classmethod
    def of(cls, ln_factors: FloatArray, *, after: Mixture) -> Self:
        values = np.cumsum(ln_factors, axis=1)
        count = values.shape[1]
        every = after.every or count + 1
        opening = np.arange(
            every - 1 - after.trials % every if after.every else count, count, every
        )
        start = (after.trials + opening + 1) // every
        ln_weights = -np.log((start + 1.0) * (start + 2.0))
        # A product that opens after trial i is worth its weight there, so its logarithm at a later
        # trial is the weight's plus what the sums have gained since i.
        opened = np.column_stack([after.ln_products, ln_weights - values[:, opening]])
        begins = np.append(0, opening + 1)
        return cls(
            values=values,
            begins=begins[begins < count],
            products=np.logaddexp.accumulate(opened, axis=1),
        )


def _ln_mean(ln_products: FloatArray, ln_unopened: FloatArray) -> FloatArray:
    """Average over components, and add what is not open yet."""
    highest = np.maximum(ln_products.max(axis=0), ln_unopened)
    products = np.exp(ln_products - highest).mean(axis=0)
    averaged: FloatArray = highest + np.log(products + np.exp(ln_unopened - highest))
    return averaged

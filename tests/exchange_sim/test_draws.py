"""Counter-based draws: the published hash, open bounds, uniformity, and nothing shared between purposes or owners."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from exchange_sim import draws
from exchange_sim.draws import AUCTION_OF, CLICK, SLOT, bits, key_of, mix, name_key, uniform
from tests.oracles import market as oracle

words = st.integers(0, 2**64 - 1)


@given(x=words)
def test_mix_is_splitmix64_and_a_bijection(x: int) -> None:
    assert int(mix(np.uint64(x))) == oracle.mix(x)
    assert oracle.unmix(oracle.mix(x)) == x


def test_mix_by_the_published_numbers() -> None:
    """First outputs of splitmix64 seeded with 1234567 (its state grows by the golden gamma before each)."""
    golden = 0x9E3779B97F4A7C15
    outputs = [int(mix(np.uint64((1234567 + k * golden) % 2**64))) for k in (1, 2, 3)]
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(parent=words, owner=st.integers(0, 2**53))
def test_keys(parent: int, owner: int) -> None:
    assert int(key_of(np.uint64(parent), AUCTION_OF, owner)) == oracle.key_of(parent, int(AUCTION_OF), owner)


@given(key=words)
def test_draws_follow_from_the_bits(key: int) -> None:
    drawn = uniform(np.uint64(key), CLICK)
    assert 0.0 < drawn < 1.0
    assert abs(drawn - int(bits(np.uint64(key), CLICK)) / 2**64) < 2**-51


@pytest.mark.parametrize("word", [0, 2**64 - 1, 2**64 - 2**11, 2**63, 2**11 - 1])
def test_extreme_words_stay_inside_the_open_interval(word: int) -> None:
    """Not even the largest word gives 1, which would index one past the last person."""
    key = np.uint64((oracle.unmix(word) - int(SLOT) * 0x9E3779B97F4A7C15) % 2**64)
    assert int(bits(key, SLOT)) == word
    assert 0.0 < uniform(key, SLOT) < 1.0


def test_purposes_are_all_different() -> None:
    purposes = [int(value) for name, value in vars(draws).items() if name.isupper() and name[0] != "_"]
    assert len(purposes) > 20
    assert len(set(purposes)) == len(purposes)


def test_uniform_and_unrelated_between_purposes_and_owners() -> None:
    """Kolmogorov-Smirnov, and correlation of neighbours and purposes within 4 standard errors (1 / sqrt(n))."""
    n = 20_000
    keys = [np.uint64(key_of(np.uint64(7), AUCTION_OF, k)) for k in range(n)]
    clicks = np.array([uniform(key, CLICK) for key in keys])
    slots = np.array([uniform(key, SLOT) for key in keys])
    assert stats.kstest(clicks, "uniform").pvalue > 1e-4
    assert stats.kstest(slots, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(clicks, slots)[0, 1]) < 4 / np.sqrt(n)
    assert abs(np.corrcoef(clicks[1:], clicks[:-1])[0, 1]) < 4 / np.sqrt(n)


def test_names_have_keys_of_their_own() -> None:
    assert len({int(name_key(f"interest {k}")) for k in range(1000)}) == 1000
    assert name_key("a") == name_key("a")

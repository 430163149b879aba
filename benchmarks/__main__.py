"""`python -m benchmarks [AUCTIONS]`: auctions per CPU-second, nanoseconds per stage, peak memory, how cost grows.

Every figure is the best of several runs: on a shared machine the others measure the neighbours. The batch driver's
long runs are compared hour by hour of the simulated time: no neighbour is silent for all of ten million auctions, but
each hour meets a quiet moment in one run or another.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time

import numpy as np

from benchmarks.own_strategy import RULES, own_strategy_ns
from benchmarks.stages import measure
from benchmarks.tournament import AGENTS, BIDS, opportunities_per_s
from benchmarks.world import benchmark_scenario, market_scenario
from experiments.drivers.batch import BatchRun, run_batch
from experiments.drivers.events import run_events
from experiments.run import Driver
from experiments.setting import fresh_truth, make_ready

RUNS = 5


def drive_ns(drive: Driver, auctions: int, runs: int = RUNS) -> tuple[float, int, int]:
    """(nanoseconds of CPU per auction, auctions, impressions bought) of a driver on the benchmark world."""
    setting = make_ready(benchmark_scenario(auctions))
    best, ledger = float("inf"), None
    for _ in range(runs):
        setting = fresh_truth(setting)
        started = time.process_time()
        ledger, _ = drive(setting, None)
        best = min(best, (time.process_time() - started) * 1e9 / ledger.auctions)
    assert ledger is not None
    return best, ledger.auctions, len(ledger.exposures)


def hourly_ns(auctions: int, campaigns: int = 50, runs: int = RUNS, *, rules: bool = False) -> tuple[float, int, int]:
    """Like `drive_ns` of the batch driver, but the sum of the least time each hour took in any of the runs.

    *rules*: with all the sellers' rules on.
    """
    setting = make_ready(market_scenario(auctions) if rules else benchmark_scenario(auctions, campaigns=campaigns))
    best: list[float] = []
    for _ in range(runs):
        times = [time.process_time()]
        run = BatchRun(fresh_truth(setting), None)
        for start_s, end_s in setting.ticks():
            run.tick(start_s, end_s)
            if end_s % 3600.0 == 0.0:
                times.append(time.process_time())
        run.deliver(math.inf)
        ledger = run.ledger()
        hours = np.diff([*times, time.process_time()])
        best = hours.tolist() if not best else np.minimum(best, hours).tolist()
    return sum(best) * 1e9 / ledger.auctions, ledger.auctions, len(ledger.exposures)


def peak_bytes(auctions: int) -> int:
    """Peak memory of a fresh process that runs the benchmark world once.

    As the kernel counts it for the process: `ru_maxrss` would begin with what this process holds when it starts it.
    """
    code = f"from benchmarks.__main__ import drive_ns, run_batch; drive_ns(run_batch, {auctions}, runs=1); "
    code += "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-2]) * 1024


def main(auctions: int) -> None:
    """Measure and print."""
    for drive in (run_batch, run_events):  # compile, or load what is compiled
        drive(make_ready(benchmark_scenario(10_000, people=1_000)), None)
    large, count, wins = hourly_ns(10 * auctions)
    small, many = hourly_ns(auctions)[0], hourly_ns(auctions, campaigns=1_000)[0]
    print(f"batch      {1e9 / large:12,.0f} auctions per CPU-second ({count:,} auctions, {wins:,} bought)")
    print(f"           {large / small:12.2f} time per auction, {10 * auctions:,} against {auctions:,}")
    print(f"           {many / small:12.2f} time per auction, 1,000 campaigns against 50, as many eligible")
    rules, count, wins = hourly_ns(auctions, rules=True)
    print(f"           {1e9 / rules:12,.0f} with all market rules on ({count:,} auctions, {wins:,} bought)")
    rule, compiled, plain = own_strategy_ns(auctions, tuple(RULES)).values()
    print(
        f"           {compiled / rule:12.2f} time per auction, 50 users' strategies, compiled, against built-in rules"
    )
    print(f"           {plain / rule:12.2f} time per auction, the same as plain Python functions")
    print(f"tournament {opportunities_per_s():12,.0f} opportunities per CPU-second, {AGENTS} agents, {BIDS:,} bids")
    each, count, wins = drive_ns(run_events, auctions // 10, runs=3)
    print(f"events     {1e9 / each:12,.0f} auctions per CPU-second ({count:,} auctions, {wins:,} bought)")
    print(f"memory     {peak_bytes(10 * auctions) / 2**20:12,.0f} MiB at the peak of {10 * auctions:,} auctions")
    for name, nanoseconds in measure(auctions):
        print(f"{'':10} {nanoseconds:12,.1f} ns  {name}")


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000)

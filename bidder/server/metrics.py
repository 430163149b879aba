"""What `/metrics` says, in Prometheus' text format, put together when it is asked for. Money in currency units, times
in s.

With several workers whoever is asked answers for all: itself as it is now, the others as they were up to two seconds
ago; each sample is labelled with its worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bidder.core.codes import REASONS
from bidder.server.samples import Sample
from openrtb.money import nanos_to_units

if TYPE_CHECKING:
    from bidder.server.app import Service

METRICS = {
    "bidlab_requests_total": ("counter", "Bid requests the desk was asked about."),
    "bidlab_bids_total": ("counter", "Bids made."),
    "bidlab_malformed_total": ("counter", "Bodies answered with 400, 408, 413 or 415."),
    "bidlab_too_late_total": ("counter", "Requests answered without a bid because tmax was over."),
    "bidlab_shed_total": ("counter", "Requests turned away because the event loop was late."),
    "bidlab_answer_seconds": ("histogram", "Time from reading the body to the finished answer."),
    "bidlab_win_notices_total": ("counter", "Win notices (nurl)."),
    "bidlab_billed_total": ("counter", "Billing notices booked."),
    "bidlab_billed_late_total": ("counter", "Of them, those whose bid no longer held its money."),
    "bidlab_disputed_total": ("counter", "Billing notices refused for want of budget."),
    "bidlab_losses_total": ("counter", "Loss notices."),
    "bidlab_expired_total": ("counter", "Bids nobody settled in time."),
    "bidlab_repeated_notices_total": ("counter", "Notices that said nothing new."),
    "bidlab_bad_notices_total": ("counter", "Notices that were unreadable, forged, too old or at no possible price."),
    "bidlab_in_flight_bids": ("gauge", "Bids that hold money now."),
    "bidlab_commits_total": ("counter", "Transactions on disk."),
    "bidlab_write_failures_total": ("counter", "Transactions that could not be written."),
    "bidlab_contradicted_prices_total": (
        "counter",
        "Repeated billing notices that told another price than was booked.",
    ),
    "bidlab_compactions_total": ("counter", "Images of the book this worker has made."),
    "bidlab_waiting_notices": ("gauge", "Notices that wait for the disk."),
    "bidlab_loop_late_seconds": ("gauge", "How late the event loop was when last looked at."),
    "bidlab_draining": ("gauge", "1 while the service ends."),
    "bidlab_reloads_total": ("counter", "Times the campaigns were read anew."),
    "bidlab_failed_reloads_total": ("counter", "Times that failed, and the old ones went on."),
    "bidlab_audience_swaps_total": ("counter", "Newer versions of the audience taken while serving."),
    "bidlab_audience_refused_total": ("counter", "Those that could not be taken, and the old one went on."),
    "bidlab_campaign_spent": ("gauge", "Spent, as this worker knows it (currency units)."),
    "bidlab_campaign_budget": ("gauge", "Total budget (currency units)."),
    "bidlab_campaign_reserved": ("gauge", "Held by the worker's bids in flight (currency units)."),
    "bidlab_campaign_committable": ("gauge", "What the worker may still commit: the rest of its lease."),
    "bidlab_campaign_impressions": ("gauge", "Impressions billed, at all workers."),
    "bidlab_campaign_clicks": ("gauge", "Clicks, at all workers."),
    "bidlab_campaign_conversions": ("gauge", "Conversions credited, at all workers."),
    "bidlab_campaign_paused": ("gauge", "1 while it is paused or no longer planned."),
    "bidlab_campaign_decisions_total": ("counter", "Requests that reached the campaign, by what it decided."),
}
"""Type and help of everything that is told."""


def samples_of(service: Service) -> list[Sample]:
    """What one worker has to tell."""
    counts, traffic, campaigns = service.desk.counts, service.traffic, service.campaigns
    plain: dict[str, float] = {
        "bidlab_requests_total": counts.requests,
        "bidlab_bids_total": counts.bids,
        "bidlab_malformed_total": traffic.malformed,
        "bidlab_too_late_total": traffic.late,
        "bidlab_shed_total": traffic.shed,
        "bidlab_win_notices_total": traffic.told_wins,
        "bidlab_billed_total": counts.wins,
        "bidlab_billed_late_total": counts.late,
        "bidlab_disputed_total": counts.refused,
        "bidlab_losses_total": counts.losses,
        "bidlab_expired_total": counts.expired,
        "bidlab_repeated_notices_total": counts.repeated,
        "bidlab_bad_notices_total": traffic.bad_notices,
        "bidlab_in_flight_bids": service.desk.in_flight(),
        "bidlab_loop_late_seconds": service.pulse.late_s,
        "bidlab_draining": int(service.draining),
        "bidlab_reloads_total": 0 if campaigns is None else campaigns.reloads,
        "bidlab_failed_reloads_total": 0 if campaigns is None else campaigns.failed_reloads,
        **service.accounts.figures(),
    }
    if service.people is not None:
        plain |= {
            "bidlab_audience_swaps_total": service.people.swaps,
            "bidlab_audience_refused_total": service.people.refused,
        }
    samples: list[Sample] = [(name, {}, value) for name, value in plain.items()]
    samples += service.answer_s.samples("bidlab_answer_seconds")
    if campaigns is not None:
        samples += _campaign_samples(service)
    return samples


def _campaign_samples(service: Service) -> Iterator[Sample]:
    campaigns, rows, reasons = service.campaigns, service.desk.book.campaigns, service.desk.reasons
    assert campaigns is not None
    for c, plan in enumerate(campaigns.plans):
        label = {"campaign": plan.campaign_id}
        spent, reserved = int(rows["spent_nanos"][c]), int(rows["reserved_nanos"][c])
        committable = int(rows["total_nanos"][c]) - spent - reserved
        off = campaigns.is_paused(plan.campaign_id) or not campaigns.is_planned(plan.campaign_id)
        yield "bidlab_campaign_spent", label, nanos_to_units(spent)
        yield "bidlab_campaign_budget", label, nanos_to_units(plan.total_nanos)
        yield "bidlab_campaign_reserved", label, nanos_to_units(reserved)
        yield "bidlab_campaign_committable", label, nanos_to_units(committable)
        yield "bidlab_campaign_impressions", label, int(rows["wins"][c])
        yield "bidlab_campaign_clicks", label, int(rows["clicks"][c])
        yield "bidlab_campaign_conversions", label, int(rows["conversions"][c])
        yield "bidlab_campaign_paused", label, int(off)
        for reason, count in zip(REASONS, reasons[c].tolist(), strict=True):
            if count:
                yield "bidlab_campaign_decisions_total", {**label, "reason": reason}, count


def render(workers: dict[str, list[Sample]]) -> str:
    """All samples, by worker, as text."""
    by_metric: dict[str, list[str]] = {name: [] for name in METRICS}
    for worker, samples in workers.items():
        for name, labels, value in samples:
            by_metric[_metric(name)].append(f"{name}{{{_labels({'worker': worker, **labels})}}} {value:.15g}")
    return "".join(_block(name, lines) for name, lines in by_metric.items() if lines)


def _block(name: str, lines: Iterable[str]) -> str:
    kind, told = METRICS[name]
    return f"# HELP {name} {told}\n# TYPE {name} {kind}\n" + "".join(f"{line}\n" for line in lines)


def _metric(name: str) -> str:
    return name if name in METRICS else name.rpartition("_")[0]


def _labels(labels: dict[str, str]) -> str:
    escaped = {k: v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for k, v in labels.items()}
    return ",".join(f'{name}="{value}"' for name, value in escaped.items())

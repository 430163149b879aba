"""The report of a run: one offline HTML page, and its plots as PNG."""

from experiments.report.page import Report, build_report, write_report

__all__ = ["Report", "build_report", "write_report"]

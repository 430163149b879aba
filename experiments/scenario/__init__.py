"""The scenario: its vocabulary (models), its file (document, loader, overrides) and its schema."""

from experiments.scenario.loader import dump_yaml, load, load_text, scenario_hash
from experiments.scenario.models import Scenario

__all__ = ["Scenario", "dump_yaml", "load", "load_text", "scenario_hash"]

"""The composition root: scenarios, drivers, accounting, reports and the command line."""

from experiments.kernel_cache import use_kernel_cache

use_kernel_cache()

"""What moves time: `batch` (compiled ticks), `events` (a process per request). Both fill the same ledger."""

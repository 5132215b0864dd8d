"""What the statistics refuse to compute; a caller turns the second kind into INCONCLUSIVE."""


class StatsError(ValueError):
    """Arguments that no statistic can be computed from."""


class TooFewRowsError(StatsError):
    """The rows are sound, but too few of a kind for what was asked."""


class UnknownMetricError(StatsError):
    """A metric was named that is not computed for the task."""


class ConditionError(StatsError):
    """A condition that cannot be read or planned for."""

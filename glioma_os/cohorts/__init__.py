"""Who the patients are: cohorts, their clinical tables, their overlap, their splits."""

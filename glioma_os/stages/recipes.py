"""One number per kind of run: raised when a change of the code alters what such a run holds; it is then made anew."""

FIT = 9  # weights and curves
LATENTS = 9
SURVIVAL = 13  # predictions and scores
VALIDATE = 12  # predictions and scores in another cohort
LEAVE_ONE_OUT = 1  # summary over cohorts
APPLY = 1  # predictions of a stored pipeline
AUDIT = 4  # findings
STUDY = (1, FIT, LATENTS, SURVIVAL)  # its first number: what the report says

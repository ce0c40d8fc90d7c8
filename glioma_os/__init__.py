"""glioma_os: overall survival in glioma from MRI, from the scans to a report whose numbers can be trusted."""

__version__ = "0.2.0"

NOTICE = "Research software. Not a medical device. Not for diagnosis, prognosis or treatment decisions."

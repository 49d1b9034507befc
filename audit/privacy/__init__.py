"""Rights of applicants: their requests as rows with steps and certificates, erasures that outlive a backup, and alerts."""

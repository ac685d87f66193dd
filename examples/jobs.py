"""A queue of jobs."""


class Queue:
    """First in, first out."""

    def __init__(self):
        self.jobs = []

    def add(self, job):
        """Puts a job at the end."""
        self.jobs.append(job)

    def size(self):
        """How many jobs wait."""
        return len(self.job)

    def is_empty(self):
        """Whether no job waits."""
        return not self.jobs

"""SchedulerService on the wire: proto to domain and back."""

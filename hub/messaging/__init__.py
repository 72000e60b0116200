"""Carries bytes: MLLP, webhooks, Kafka, and the dispatchers that wake the work. Only this package imports kafka."""

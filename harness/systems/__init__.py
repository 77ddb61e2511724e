"""Adapters to the losses of real libraries; importing this package imports none of them."""

"""Keep a loss right in a test suite: assertions on its largest error, and budgets that a sweep has written.

    from harness.testing import assert_ulp_within

    def test_loss():
        assert_ulp_within(my_loss, "bce_logits", "float32", max_ulp=4)

An assertion that nothing could break is void, and fails as such: for each one a form of the same problem that is known
to be wrong is measured too, and must be caught (see control.py).
"""

from __future__ import annotations

from harness.testing.assertion import assert_ulp_within
from harness.testing.control import Void

__all__ = ["Void", "assert_ulp_within"]

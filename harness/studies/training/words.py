"""How methods and settings are called in what people read."""

SETTINGS = {
    "usual": "usual rate",
    "high_rate": "high rate",
    "wrong_start": "confidently wrong start",
}
FROM = {"bce_logits": "from the logit", "bce": "from p = sigmoid(x)"}
HEADS = {"bce_logits": "from the logit", "bce": "from p = sigmoid(x)", "bce_logits_grad": "gradient by the logit"}


def method_name(kernel: str, gradient: str) -> str:
    """Return the kernel, with the gradient's kernel where that is not its own."""
    return f"{kernel} + {gradient}" if gradient else kernel

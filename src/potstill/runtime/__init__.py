"""A trained classifier on numpy, tokenizers and ONNX Runtime alone."""

import os

# From 1.29 on ONNX Runtime tells its maker of its use, in a thread that it starts when it is imported. A process that
# is forked from one with that thread never ends: it waits for it. It is read at the import, so it is set before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

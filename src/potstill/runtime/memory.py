"""How much memory the graphs of this process may take while they run: a graph may ask for arrays of any size."""

from functools import cache

import onnxruntime

# Without a limit a graph took 4 GB in a test. The shared arena costs nothing measurable: 322 microseconds a text for
# 321 (bilstm in fp32).
LIMIT = 4 * 2**30  # bytes of all models together, their weights not counted
_OPTIONS = {
    "session.use_env_allocators": "1",
    "session.use_device_allocator_for_initializers": "1",  # weights lie outside: no larger than their file
}
_DEFAULT = -1


def limit_memory(options: onnxruntime.SessionOptions) -> None:
    """Let a session take its memory from one arena that all of this process' models share.

    A call that needs more than is left of it fails; the next one finds it as it was.
    """
    _open_arena()
    for name, value in _OPTIONS.items():
        options.add_session_config_entry(name, value)


@cache
def _open_arena() -> None:
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    growth = ("arena_extend_strategy", "initial_chunk_size_bytes", "max_dead_bytes_per_chunk")
    arena = onnxruntime.OrtArenaCfg({"max_mem": LIMIT} | dict.fromkeys(growth, _DEFAULT))
    onnxruntime.create_and_register_allocator(place, arena)

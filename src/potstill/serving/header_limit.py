"""A limit on the bytes of a request's headers, and of what else a client may send outside of bodies.

uvicorn's httptools protocol has no limit: it keeps headers as long as they come, at seventeen times their size, before
a request begins that :class:`~potstill.serving.guard.Guard` could refuse. Trailers and chunk extensions are the same.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Without it 100 MB of short headers took a server from 122 to 1,812 MB. Counting costs 1.5 microseconds a request.
MAX_HEADER_BYTES = 65_536

_ERROR = b'{"error": "the head of the request is larger than %d bytes: send fewer headers"}' % MAX_HEADER_BYTES
_RESPONSE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_ERROR), _ERROR)
)


# uvicorn's h11 protocol has such a limit (h11_max_incomplete_event_size). At full load a request costs 1.17 times the
# processor time with it (2026-11-27, median of 24 pairs), and its response is a 400 that does not name the limit.
class HeaderLimit(HttpToolsProtocol):
    """uvicorn's connection, closed beyond :data:`MAX_HEADER_BYTES` that neither end the headers nor are a body's."""

    _n_waiting = 0
    _has_advanced = False

    def data_received(self, data: bytes) -> None:
        """Called with the bytes that have come."""
        self._has_advanced = False
        super().data_received(data)
        self._n_waiting = 0 if self._has_advanced else self._n_waiting + len(data)
        if self._n_waiting <= MAX_HEADER_BYTES or self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:  # else it would be taken for another request's response
            self.transport.write(_RESPONSE)
        self.transport.close()

    def on_headers_complete(self) -> None:
        """Called at the end of the headers."""
        self._has_advanced = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Called with a part of a body."""
        self._has_advanced = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called at the end of a request."""
        self._has_advanced = True
        super().on_message_complete()

"""A connection that ends where a request's head, or what follows its body, has no end.

uvicorn keeps headers as long as they come, seventeen times their size, and no request has begun that could be refused.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 65_536
"""Bytes of a head."""

_ERROR = b'{"error": "the head of the request is larger than %d bytes: send fewer headers"}' % MAX_HEAD
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_ERROR), _ERROR)
)


class HeadLimit(HttpToolsProtocol):
    """uvicorn's connection, which counts the bytes that neither end a head nor are a body's."""

    _n_waiting = 0
    _has_advanced = False

    def data_received(self, data: bytes) -> None:
        """Called with what has come."""
        self._has_advanced = False
        super().data_received(data)
        self._n_waiting = 0 if self._has_advanced else self._n_waiting + len(data)
        if self._n_waiting <= MAX_HEAD or self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:  # else it would be taken for the answer to another
            self.transport.write(_REFUSAL)
        self.transport.close()

    def on_headers_complete(self) -> None:
        """Called at the end of a head."""
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

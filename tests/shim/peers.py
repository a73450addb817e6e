# SPDX-License-Identifier: Apache-2.0
"""What the shim's tests connect to."""
import errno
import socket


class Peers:
    """Servers on several addresses, at one port unless said otherwise. They accept and forget."""

    def __init__(self, *addresses, port=0, kind=socket.SOCK_STREAM):
        for left in range(100, -1, -1):
            self.sockets, self.port = [], port
            try:
                for address in addresses:
                    self.bind(address, kind)
                return
            except OSError as error:
                self.__exit__()
                # A port that was free at the first address may be somebody's at another one.
                if port or not left or error.errno != errno.EADDRINUSE:
                    raise

    def bind(self, address, kind):
        server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        self.sockets.append(server)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, self.port))
        if kind == socket.SOCK_STREAM:
            server.listen(4096)
        self.port = self.port or server.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.sockets:
            server.close()

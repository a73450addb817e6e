# SPDX-License-Identifier: Apache-2.0
"""What the shim's tests connect to."""
import socket


class Peers:
    """Servers on several addresses, at one port unless said otherwise. They accept and forget."""

    def __init__(self, *addresses, port=0, kind=socket.SOCK_STREAM):
        self.sockets = []
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            server = socket.socket(family, kind)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((address, port))
            if kind == socket.SOCK_STREAM:
                server.listen(4096)
            port = port or server.getsockname()[1]
            self.sockets.append(server)
        self.port = port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.sockets:
            server.close()

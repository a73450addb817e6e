# SPDX-License-Identifier: Apache-2.0
# Per line of input: a new connection to HOST and a lookup of OTHER; prints where they led.
#
# usage: ruby_turns.rb HOST PORT OTHER
require 'socket'

$stdout.sync = true
host, port, other = ARGV
while $stdin.gets
  begin
    TCPSocket.open(host, port.to_i) { |s| print s.peeraddr(false)[3] }
    puts " #{Addrinfo.getaddrinfo(other, nil, :INET, :STREAM)[0].ip_address}"
  rescue SystemCallError, SocketError => e
    puts "failed: #{e.message}"
  end
end

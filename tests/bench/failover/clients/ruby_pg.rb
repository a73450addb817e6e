# SPDX-License-Identifier: Apache-2.0
# A worker on Ruby's pg: one connection, made anew when its status is no longer good.
require 'pg'

$stdout.sync = true
SQL = "INSERT INTO writes (client) VALUES ('#{ENV['CLIENT']}')"
connection = nil
number = 0

say = lambda { |what| puts "#{(Time.now.to_f * 1000).to_i} #{number} #{what.split.join(' ')}" }

loop do
  due = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 0.02
  number += 1
  say.call('begin')
  begin
    connection ||= PG.connect
    connection.exec(SQL)
    say.call('ok')
  rescue PG::Error => e
    code = e.result&.error_field(PG::Result::PG_DIAG_SQLSTATE) if e.respond_to?(:result)
    say.call("error #{code || '-'} #{e.message}")
    connection = nil unless connection && connection.status == PG::CONNECTION_OK
  end
  left = due - Process.clock_gettime(Process::CLOCK_MONOTONIC)
  sleep(left) if left.positive?
end

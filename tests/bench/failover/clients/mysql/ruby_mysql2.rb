# SPDX-License-Identifier: Apache-2.0
# A worker on Ruby's mysql2: after a failure it pings, and connects anew if that fails too.
require 'mysql2'

$stdout.sync = true
SQL = "INSERT INTO writes (client) VALUES ('#{ENV['CLIENT']}')"
WHERE = { host: ENV['DBHOST'], port: ENV['DBPORT'].to_i, username: ENV['DBUSER'], password: ENV['DBPASSWORD'],
          database: ENV['DBNAME'] }.freeze
client = nil
number = 0

say = lambda { |what| puts "#{(Time.now.to_f * 1000).to_i} #{number} #{what.split.join(' ')}" }

loop do
  due = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 0.02
  number += 1
  say.call('begin')
  begin
    client ||= Mysql2::Client.new(WHERE)
    client.query(SQL)
    say.call('ok')
  rescue Mysql2::Error => e
    say.call("error #{e.error_number || '-'} #{e.message}")
    client = nil unless client&.ping
  end
  left = due - Process.clock_gettime(Process::CLOCK_MONOTONIC)
  sleep(left) if left.positive?
end

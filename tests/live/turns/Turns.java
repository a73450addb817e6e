// SPDX-License-Identifier: Apache-2.0
// Per line of input: a new connection to HOST, one held since the start, a lookup of OTHER; prints where they led.
// The JVM keeps what it looked up for 30 s.
//
// usage: Turns HOST PORT OTHER
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

public class Turns {
    static Connection held;

    static String server(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet got = statement.executeQuery("SELECT host(inet_server_addr())")) {
            got.next();
            return got.getString(1);
        }
    }

    static String turn(String url, String other) {
        try {
            if (held == null || held.isClosed())
                held = DriverManager.getConnection(url);
            try (Connection connection = DriverManager.getConnection(url)) {
                return server(held) + " " + server(connection) + " " + InetAddress.getByName(other).getHostAddress();
            }
        } catch (SQLException | IOException e) {
            return "failed: " + e.getMessage().replaceAll("\\s+", " ");
        }
    }

    public static void main(String[] args) throws IOException {
        String url = "jdbc:postgresql://" + args[0] + ":" + args[1] + "/postgres?user=postgres&sslmode=disable";
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        while (in.readLine() != null)
            System.out.println(turn(url, args[2]));
    }
}

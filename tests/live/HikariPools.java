// SPDX-License-Identifier: Apache-2.0
// Two HikariCP pools in one JVM, as they come: one writes through the writer's name, the other reads through the
// reader's. Every 20 ms each takes a connection: "MS writer ok", "MS reader ok", or "MS writer error CODE TEXT".
//
// usage: HikariPools WRITER-URL READER-URL
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;

public class HikariPools {
    static synchronized void say(String who, String what) {
        System.out.println(System.currentTimeMillis() + " " + who + " " + what.replaceAll("\\s+", " "));
    }

    static HikariDataSource pool(String url) {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(url);
        config.setUsername(System.getenv("PGUSER"));
        config.setPassword(System.getenv("PGPASSWORD"));
        config.setMaximumPoolSize(5);
        config.setInitializationFailTimeout(-1);
        return new HikariDataSource(config);
    }

    static void request(HikariDataSource pool, String who, String sql) {
        try (Connection connection = pool.getConnection(); Statement statement = connection.createStatement()) {
            statement.execute(sql);
            say(who, "ok");
        } catch (SQLException e) {
            say(who, "error " + (e.getSQLState() == null ? "-" : e.getSQLState()) + " " + e.getMessage());
        }
    }

    static void requests(String url, String who, String sql) {
        HikariDataSource pool = pool(url);
        try {
            for (;; Thread.sleep(20))
                request(pool, who, sql);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    public static void main(String[] args) {
        new Thread(() -> requests(args[0], "writer", "INSERT INTO writes (client) VALUES ('pools')")).start();
        new Thread(() -> requests(args[1], "reader", "SELECT count(*) FROM writes")).start();
    }
}

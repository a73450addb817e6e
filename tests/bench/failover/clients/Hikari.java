// SPDX-License-Identifier: Apache-2.0
// HikariCP as it comes, over PostgreSQL's or MariaDB's JDBC driver: a request every 20 ms, at most 20 at once.
//
// usage: Hikari JDBC-URL
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;

public class Hikari {
    static final Semaphore places = new Semaphore(20);
    static final String SQL = "INSERT INTO writes (client) VALUES ('" + System.getenv("CLIENT") + "')";

    static synchronized void say(int number, String what) {
        System.out.println(System.currentTimeMillis() + " " + number + " " + what.replaceAll("\\s+", " "));
    }

    // MariaDB's errors have a number; PostgreSQL's have none.
    static String code(SQLException e) {
        return e.getErrorCode() > 0 ? "" + e.getErrorCode() : e.getSQLState() == null ? "-" : e.getSQLState();
    }

    static void request(HikariDataSource pool, int number) {
        say(number, "begin");
        try (Connection connection = pool.getConnection(); Statement statement = connection.createStatement()) {
            statement.executeUpdate(SQL);
            say(number, "ok");
        } catch (SQLException e) {
            say(number, "error " + code(e) + " " + e.getMessage());
        }
        places.release();
    }

    public static void main(String[] args) throws InterruptedException {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(args[0]);
        if (System.getenv("PGUSER") != null) { // else the URL says it
            config.setUsername(System.getenv("PGUSER"));
            config.setPassword(System.getenv("PGPASSWORD"));
        }
        // Else one that is started while there is no database ends, and waits for whoever starts it again.
        config.setInitializationFailTimeout(-1);
        HikariDataSource pool = new HikariDataSource(config);
        ExecutorService workers = Executors.newCachedThreadPool();
        for (int number = 1;; Thread.sleep(20)) {
            if (places.tryAcquire()) {
                int mine = number++;
                workers.execute(() -> request(pool, mine));
            }
        }
    }
}

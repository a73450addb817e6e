// SPDX-License-Identifier: Apache-2.0
// The benchmark's HikariCP, with a thread beside it that looks up a name which the JVM does not know yet, again and
// again: "MS NUMBER lookup MS", how long it took.
//
// usage: HikariBeside JDBC-URL OTHER COUNT     the names are n0.OTHER and so on, COUNT of them
import java.net.InetAddress;
import java.net.UnknownHostException;

public class HikariBeside {
    static void lookUp(String name, int number) {
        long began = System.currentTimeMillis();
        String said;
        try {
            InetAddress.getByName(name);
            said = "lookup " + (System.currentTimeMillis() - began);
        } catch (UnknownHostException e) {
            said = "error - UnknownHostException: " + e.getMessage();
        }
        System.out.println(System.currentTimeMillis() + " -" + number + " " + said);
    }

    static void lookUpOthers(String other, int count) {
        try {
            for (int number = 0; number < count; number++, Thread.sleep(50))
                lookUp("n" + number + "." + other, number);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    public static void main(String[] args) throws InterruptedException {
        Thread beside = new Thread(() -> lookUpOthers(args[1], Integer.parseInt(args[2])));
        beside.setDaemon(true);
        beside.start();
        Hikari.main(args);
    }
}

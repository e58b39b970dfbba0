import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;

/** An in-memory MongoDB on a free port of the loopback; prints the port, ends when its standard input does. */
public class MongoMain {
  public static void main(String[] args) throws Exception {
    // The driver refuses servers older than wire version 9; the backend's own constants stop at 8.
    MongoVersion version = new MongoVersion() {
      public List<Integer> getVersionArray() { return List.of(7, 0, 0); }
      public int getWireVersion() { return 21; }
    };
    MongoServer server = new MongoServer(new MemoryBackend().version(version));
    server.bind("127.0.0.1", 0);
    System.out.println("port " + server.getLocalAddress().getPort());
    while (System.in.read() >= 0) { }
    server.shutdownNow();
    System.exit(0);
  }
}

// As tutorials/android/KerasDc.kt, whose `external` functions are Java's `native` ones:
// KerasDc LIBRARY PACKED MODEL
package kerasdc;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

public class KerasDc {
    native void unpack(byte[] packed, String path) throws IOException;

    public static void main(String[] arguments) throws IOException {
        System.load(arguments[0]);
        byte[] packed = Files.readAllBytes(Path.of(arguments[1]));
        String model = arguments[2];
        new KerasDc().unpack(packed, model);
        KerasDcDelegate delegate = new KerasDcDelegate();
        long handle = delegate.create();
        delegate.destroy(handle);
        System.out.println(handle != 0);
        printError(new byte[] {75, 68, 67}, model + ".bad");
        packed[packed.length - 9] ^= 1;
        printError(packed, model + ".bad");
        printError(packed, model + "/no/folder");
    }

    static void printError(byte[] packed, String path) {
        try {
            new KerasDc().unpack(packed, path);
        } catch (IOException error) {
            System.out.println(error.getMessage());
        }
    }
}

class KerasDcDelegate {
    native long create();

    native void destroy(long handle);
}

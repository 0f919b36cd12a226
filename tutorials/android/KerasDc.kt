package kerasdc

import java.io.IOException
import org.tensorflow.lite.Delegate

/** Unpacks what `dc.pack` made. */
object KerasDc {
    init {
        System.loadLibrary("keras_dc_jni")
    }

    /** Writes the file that is packed to [path]; an [IOException] tells what is wrong with it. */
    @Throws(IOException::class)
    external fun unpack(packed: ByteArray, path: String)
}

/** The ops of compressed files. Close it after the interpreters that it was added to. */
class KerasDcDelegate : Delegate {
    private val handle = create()

    override fun getNativeHandle() = handle

    override fun close() = destroy(handle)

    private external fun create(): Long

    private external fun destroy(handle: Long)

    private companion object {
        init {
            System.loadLibrary("keras_dc_jni")
        }
    }
}

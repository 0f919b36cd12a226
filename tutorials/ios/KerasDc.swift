// C functions come by the bridging header, KerasDc-Bridging-Header.h.
import Foundation
import TensorFlowLite

struct KerasDcError: Error, CustomStringConvertible {
  let description: String
}

/// The file that `dc.pack` packed.
func unpack(_ packed: Data) throws -> Data {
  try packed.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws -> Data in
    let begin = bytes.bindMemory(to: UInt8.self).baseAddress
    var size = 0
    try check(kdc_unpacked_size(begin, bytes.count, &size))
    var model = Data(count: size)
    try model.withUnsafeMutableBytes { (place: UnsafeMutableRawBufferPointer) throws in
      let out = place.bindMemory(to: UInt8.self).baseAddress
      try check(kdc_unpack(begin, bytes.count, nil, 0, out, size))
    }
    return model
  }
}

private func check(_ status: Int32) throws {
  if status != 0 { throw KerasDcError(description: String(cString: kdc_status_message(status))) }
}

/// The ops of compressed files; it must live as long as the interpreters that have it.
final class KerasDcDelegate: Delegate {
  let cDelegate: CDelegate

  init?() {
    guard let made = tflite_plugin_create_delegate(nil, nil, 0, nil) else { return nil }
    cDelegate = made
  }

  deinit {
    tflite_plugin_destroy_delegate(cDelegate)
  }
}

// What KerasDc.kt calls.
#include <jni.h>

#include <cstdio>

#include "keras_dc/delegate.h"
#include "keras_dc/pack.h"

namespace {

int32_t Write(void* file, const uint8_t* bytes, size_t size) {
  return std::fwrite(bytes, 1, size, static_cast<FILE*>(file)) == size ? 0 : 1;
}

void Throw(JNIEnv* env, const char* kind, const char* message) {
  const jclass error = env->FindClass(kind);
  if (error != nullptr) env->ThrowNew(error, message);
}

}  // namespace

extern "C" {

JNIEXPORT void JNICALL Java_kerasdc_KerasDc_unpack(JNIEnv* env, jobject,
                                                   jbyteArray packed,
                                                   jstring path) {
  const char* name = env->GetStringUTFChars(path, nullptr);
  if (name == nullptr) return;
  jbyte* bytes = env->GetByteArrayElements(packed, nullptr);
  if (bytes != nullptr) {
    int32_t status = KDC_WRITE_FAILED;
    FILE* file = std::fopen(name, "wb");
    if (file != nullptr) {
      status = kdc_unpack_to(reinterpret_cast<const uint8_t*>(bytes),
                             static_cast<size_t>(env->GetArrayLength(packed)),
                             nullptr, 0, Write, file);
      if (std::fclose(file) != 0 && status == KDC_OK) status = KDC_WRITE_FAILED;
      if (status != KDC_OK) std::remove(name);
    }
    env->ReleaseByteArrayElements(packed, bytes, JNI_ABORT);
    if (status != KDC_OK) {
      Throw(env, "java/io/IOException", kdc_status_message(status));
    }
  }
  env->ReleaseStringUTFChars(path, name);
}

JNIEXPORT jlong JNICALL Java_kerasdc_KerasDcDelegate_create(JNIEnv* env,
                                                            jobject) {
  TfLiteDelegate* delegate =
      tflite_plugin_create_delegate(nullptr, nullptr, 0, nullptr);
  if (delegate == nullptr) {
    Throw(env, "java/lang/OutOfMemoryError", "no memory for a delegate");
  }
  return reinterpret_cast<jlong>(delegate);
}

JNIEXPORT void JNICALL Java_kerasdc_KerasDcDelegate_destroy(JNIEnv*, jobject,
                                                            jlong delegate) {
  tflite_plugin_destroy_delegate(reinterpret_cast<TfLiteDelegate*>(delegate));
}

}  // extern "C"

// Walks the flatbuffer of a model as its schema says, and trusts no offset.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "keras_dc/model.h"

namespace keras_dc {
namespace {

struct Table;

enum class Kind : uint8_t {
  kScalar,   // of `size` bytes
  kVector,   // of elements of `size` bytes
  kString,   // ends with a 0 that it does not count
  kTable,    // as `table` says
  kTables,   // a vector of them
  kOptions,  // a table of which kind the byte in field `size` says
};

// A field of a table: its number in the schema, and what it holds.
struct Field {
  uint8_t number;
  Kind kind;
  uint8_t size;
  const Table* table;
};

struct Table {
  const Field* fields;
  size_t num_fields;
};

template <size_t kSize>
constexpr Table TableOf(const Field (&fields)[kSize]) {
  return {fields, kSize};
}

// TFLite's schema. A table whose fields are not listed here is checked as far
// as that goes without.
constexpr Table kOpaque = {nullptr, 0};
constexpr Field kVectorOf4Fields[] = {{0, Kind::kVector, 4, nullptr}};
constexpr Table kVectorOf4 = TableOf(kVectorOf4Fields);
constexpr Field kVectorOf2Fields[] = {{0, Kind::kVector, 2, nullptr}};
constexpr Table kVectorOf2 = TableOf(kVectorOf2Fields);
constexpr Field kVectorOf1Fields[] = {{0, Kind::kVector, 1, nullptr}};
constexpr Table kVectorOf1 = TableOf(kVectorOf1Fields);

constexpr Field kOperatorCodeFields[] = {{0, Kind::kScalar, 1, nullptr},
                                         {1, Kind::kString, 1, nullptr},
                                         {2, Kind::kScalar, 4, nullptr},
                                         {3, Kind::kScalar, 4, nullptr}};
constexpr Table kOperatorCode = TableOf(kOperatorCodeFields);

constexpr Field kQuantizationFields[] = {
    {0, Kind::kVector, 4, nullptr}, {1, Kind::kVector, 4, nullptr},
    {2, Kind::kVector, 4, nullptr}, {3, Kind::kVector, 8, nullptr},
    {4, Kind::kScalar, 1, nullptr}, {5, Kind::kTable, 0, &kOpaque},
    {6, Kind::kScalar, 4, nullptr}};
constexpr Table kQuantization = TableOf(kQuantizationFields);

constexpr uint8_t kSegmentsType = 2, kIndicesType = 4;
constexpr Field kDimensionFields[] = {
    {0, Kind::kScalar, 1, nullptr},
    {1, Kind::kScalar, 4, nullptr},
    {kSegmentsType, Kind::kScalar, 1, nullptr},
    {3, Kind::kOptions, kSegmentsType, nullptr},
    {kIndicesType, Kind::kScalar, 1, nullptr},
    {5, Kind::kOptions, kIndicesType, nullptr}};
constexpr Table kDimension = TableOf(kDimensionFields);

constexpr Field kSparsityFields[] = {{0, Kind::kVector, 4, nullptr},
                                     {1, Kind::kVector, 4, nullptr},
                                     {2, Kind::kTables, 0, &kDimension}};
constexpr Table kSparsity = TableOf(kSparsityFields);

constexpr Field kVariantFields[] = {{0, Kind::kVector, 4, nullptr},
                                    {1, Kind::kScalar, 1, nullptr},
                                    {2, Kind::kScalar, 1, nullptr}};
constexpr Table kVariant = TableOf(kVariantFields);

constexpr Field kTensorFields[] = {
    {0, Kind::kVector, 4, nullptr},       {1, Kind::kScalar, 1, nullptr},
    {2, Kind::kScalar, 4, nullptr},       {3, Kind::kString, 1, nullptr},
    {4, Kind::kTable, 0, &kQuantization}, {5, Kind::kScalar, 1, nullptr},
    {6, Kind::kTable, 0, &kSparsity},     {7, Kind::kVector, 4, nullptr},
    {8, Kind::kScalar, 1, nullptr},       {9, Kind::kTables, 0, &kVariant}};
constexpr Table kTensor = TableOf(kTensorFields);

constexpr uint8_t kOptionsType = 3, kOptions2Type = 11;
constexpr Field kOperatorFields[] = {
    {0, Kind::kScalar, 4, nullptr},
    {1, Kind::kVector, 4, nullptr},
    {2, Kind::kVector, 4, nullptr},
    {kOptionsType, Kind::kScalar, 1, nullptr},
    {4, Kind::kOptions, kOptionsType, nullptr},
    {5, Kind::kVector, 1, nullptr},
    {6, Kind::kScalar, 1, nullptr},
    {7, Kind::kVector, 1, nullptr},
    {8, Kind::kVector, 4, nullptr},
    {9, Kind::kScalar, 8, nullptr},
    {10, Kind::kScalar, 8, nullptr},
    {kOptions2Type, Kind::kScalar, 1, nullptr},
    {12, Kind::kOptions, kOptions2Type, nullptr}};
constexpr Table kOperator = TableOf(kOperatorFields);

constexpr Field kSubgraphFields[] = {{0, Kind::kTables, 0, &kTensor},
                                     {1, Kind::kVector, 4, nullptr},
                                     {2, Kind::kVector, 4, nullptr},
                                     {3, Kind::kTables, 0, &kOperator},
                                     {4, Kind::kString, 1, nullptr}};
constexpr Table kSubgraph = TableOf(kSubgraphFields);

constexpr Field kBufferFields[] = {{0, Kind::kVector, 1, nullptr},
                                   {1, Kind::kScalar, 8, nullptr},
                                   {2, Kind::kScalar, 8, nullptr}};
constexpr Table kBuffer = TableOf(kBufferFields);

constexpr Field kMetadataFields[] = {{0, Kind::kString, 1, nullptr},
                                     {1, Kind::kScalar, 4, nullptr}};
constexpr Table kMetadata = TableOf(kMetadataFields);

constexpr Field kTensorMapFields[] = {{0, Kind::kString, 1, nullptr},
                                      {1, Kind::kScalar, 4, nullptr}};
constexpr Table kTensorMap = TableOf(kTensorMapFields);

constexpr Field kSignatureFields[] = {{0, Kind::kTables, 0, &kTensorMap},
                                      {1, Kind::kTables, 0, &kTensorMap},
                                      {2, Kind::kString, 1, nullptr},
                                      {4, Kind::kScalar, 4, nullptr}};
constexpr Table kSignature = TableOf(kSignatureFields);

constexpr Field kModelFields[] = {
    {0, Kind::kScalar, 4, nullptr},    {1, Kind::kTables, 0, &kOperatorCode},
    {2, Kind::kTables, 0, &kSubgraph}, {3, Kind::kString, 1, nullptr},
    {4, Kind::kTables, 0, &kBuffer},   {5, Kind::kVector, 4, nullptr},
    {6, Kind::kTables, 0, &kMetadata}, {7, Kind::kTables, 0, &kSignature}};
constexpr Table kModel = TableOf(kModelFields);

// The options of operators that are more than numbers.
constexpr Field kConcatEmbeddingsFields[] = {{0, Kind::kScalar, 4, nullptr},
                                             {1, Kind::kVector, 4, nullptr},
                                             {2, Kind::kVector, 4, nullptr}};
constexpr Table kConcatEmbeddings = TableOf(kConcatEmbeddingsFields);
constexpr Field kVarHandleFields[] = {{0, Kind::kString, 1, nullptr},
                                      {1, Kind::kString, 1, nullptr}};
constexpr Table kVarHandle = TableOf(kVarHandleFields);

const Table& TableOfOptions(uint8_t type_field, uint8_t type) {
  if (type_field == kSegmentsType || type_field == kIndicesType) {
    switch (type) {
      case 1:
        return kVectorOf4;
      case 2:
        return kVectorOf2;
      case 3:
        return kVectorOf1;
      default:
        return kOpaque;
    }
  }
  if (type_field != kOptionsType) return kOpaque;
  switch (type) {
    case 3:
      return kConcatEmbeddings;
    case 17:   // ReshapeOptions: the new shape
    case 30:   // SqueezeOptions: the dimensions
    case 115:  // BucketizeOptions: the boundaries
      return kVectorOf4;
    case 111:
      return kVarHandle;
    default:
      return kOpaque;
  }
}

constexpr const char kDamaged[] =
    "the model is damaged or cut short: a part of it lies outside its bytes";
constexpr const char kNoTensor[] =
    "the model names a tensor that does not exist";
constexpr uint64_t kOffsetBytes = 4;
constexpr uint64_t kVtableHeadBytes = 4;
// Tables that are looked at: parts can be shared, and a small file can so be a
// large tree.
constexpr uint64_t kMostTables = uint64_t{1} << 22;

class Checker {
 public:
  Checker(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {}

  const char* Check() {
    constexpr char kIdentifier[] = "TFL3";
    if (size_ < 8 || std::memcmp(bytes_ + 4, kIdentifier, 4) != 0) {
      return "a TFLite model is a flatbuffer with the identifier 'TFL3' at "
             "byte 4";
    }
    const uint64_t model = Read(0, 4);
    if (!CheckTable(model, kModel)) return kDamaged;
    return CheckContents(model);
  }

 private:
  // Elements of a vector: `begin` is the place of the first one.
  struct Vector {
    uint64_t begin = 0;
    uint64_t count = 0;
  };

  bool Holds(uint64_t place, uint64_t count) const {
    return place <= size_ && count <= size_ - place;
  }

  // Little-endian, of bytes that are there.
  uint64_t Read(uint64_t place, size_t count) const {
    uint64_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      value |= uint64_t{bytes_[place + i]} << (8 * i);
    }
    return value;
  }

  // The place of a field of a table that was checked; 0 if it is absent.
  uint64_t PlaceOf(uint64_t table, uint64_t number) const {
    const uint64_t vtable = VtableOf(table);
    const uint64_t entry = kVtableHeadBytes + 2 * number;
    if (entry + 2 > Read(vtable, 2)) return 0;
    const uint64_t offset = Read(vtable + entry, 2);
    return offset == 0 ? 0 : table + offset;
  }
  // Wraps round where the vtable would lie in front of the bytes.
  uint64_t VtableOf(uint64_t table) const {
    const auto offset = static_cast<int32_t>(Read(table, kOffsetBytes));
    return table - static_cast<uint64_t>(static_cast<int64_t>(offset));
  }
  uint64_t Number(uint64_t table, uint64_t field, size_t size) const {
    const uint64_t place = PlaceOf(table, field);
    return place == 0 ? 0 : Read(place, size);
  }
  uint64_t Follow(uint64_t place) const {
    return place + Read(place, kOffsetBytes);
  }
  Vector VectorOf(uint64_t table, uint64_t field) const {
    const uint64_t place = PlaceOf(table, field);
    if (place == 0) return {};
    const uint64_t vector = Follow(place);
    return {vector + kOffsetBytes, Read(vector, kOffsetBytes)};
  }

  bool CheckTable(uint64_t table, const Table& as) {
    if (++num_tables_ > kMostTables || !Holds(table, kOffsetBytes)) {
      return false;
    }
    const uint64_t vtable = VtableOf(table);
    if (!Holds(vtable, kVtableHeadBytes)) return false;
    const uint64_t vtable_size = Read(vtable, 2);
    const uint64_t table_size = Read(vtable + 2, 2);
    if (vtable_size < kVtableHeadBytes || vtable_size % 2 != 0 ||
        !Holds(vtable, vtable_size) || !Holds(table, table_size)) {
      return false;
    }
    for (uint64_t i = kVtableHeadBytes; i < vtable_size; i += 2) {
      if (!Holds(table + Read(vtable + i, 2), 1)) return false;
    }
    for (size_t i = 0; i < as.num_fields; ++i) {
      const uint64_t place = PlaceOf(table, as.fields[i].number);
      if (place != 0 && !CheckField(table, place, as.fields[i])) return false;
    }
    return true;
  }

  bool CheckField(uint64_t table, uint64_t place, const Field& field) {
    if (field.kind == Kind::kScalar) return Holds(place, field.size);
    if (!Holds(place, kOffsetBytes)) return false;
    const uint64_t target = Follow(place);
    switch (field.kind) {
      case Kind::kTable:
        return CheckTable(target, *field.table);
      case Kind::kOptions: {
        const uint64_t type = PlaceOf(table, field.size);
        if (type != 0 && !Holds(type, 1)) return false;
        return CheckTable(
            target,
            TableOfOptions(field.size, type == 0 ? uint8_t{0} : bytes_[type]));
      }
      default:
        return CheckVector(target, field);
    }
  }

  bool CheckVector(uint64_t vector, const Field& field) {
    if (!Holds(vector, kOffsetBytes)) return false;
    const uint64_t count = Read(vector, kOffsetBytes);
    const uint64_t begin = vector + kOffsetBytes;
    if (field.kind == Kind::kString) {
      return Holds(begin, count + 1) && bytes_[begin + count] == 0;
    }
    if (field.kind == Kind::kVector) return Holds(begin, count * field.size);
    if (!Holds(begin, count * kOffsetBytes)) return false;
    for (uint64_t i = 0; i < count; ++i) {
      if (!CheckTable(Follow(begin + kOffsetBytes * i), *field.table)) {
        return false;
      }
    }
    return true;
  }

  // Whether all indices are below `count`; -1 stands for an absent input.
  bool AreBelow(const Vector& indices, uint64_t count, bool may_be_absent) {
    for (uint64_t i = 0; i < indices.count; ++i) {
      const uint64_t index = Read(indices.begin + 4 * i, 4);
      const bool is_absent = may_be_absent && index == 0xffffffffu;
      if (index >= count && !is_absent) return false;
    }
    return true;
  }

  bool LiesBehind(uint64_t offset, uint64_t count) const {
    // 0 and 1 mean that the bytes lie in the flatbuffer.
    return offset <= 1 || Holds(offset, count);
  }

  // To be called after CheckTable, which makes sure that all fields are there.
  const char* CheckContents(uint64_t model) {
    if (Number(model, 0, 4) != 3) {
      return "the schema version of a TFLite model must be 3";
    }
    const Vector codes = VectorOf(model, 1), subgraphs = VectorOf(model, 2);
    const Vector buffers = VectorOf(model, 4);
    if (subgraphs.count == 0) return "the model has no subgraph";
    for (uint64_t i = 0; i < buffers.count; ++i) {
      const uint64_t buffer = Follow(buffers.begin + kOffsetBytes * i);
      if (!LiesBehind(Number(buffer, 1, 8), Number(buffer, 2, 8))) {
        return kDamaged;
      }
    }
    for (uint64_t i = 0; i < subgraphs.count; ++i) {
      const char* fault =
          CheckSubgraph(Follow(subgraphs.begin + kOffsetBytes * i), codes.count,
                        buffers.count);
      if (fault != nullptr) return fault;
    }
    return nullptr;
  }

  const char* CheckSubgraph(uint64_t subgraph, uint64_t num_codes,
                            uint64_t num_buffers) {
    const Vector tensors = VectorOf(subgraph, 0);
    const Vector operators = VectorOf(subgraph, 3);
    num_tables_ += tensors.count + operators.count;
    if (num_tables_ > 2 * kMostTables) return kDamaged;
    for (uint64_t i = 0; i < tensors.count; ++i) {
      const uint64_t tensor = Follow(tensors.begin + kOffsetBytes * i);
      // Without any buffer a runtime reads none.
      if (num_buffers > 0 && Number(tensor, 2, 4) >= num_buffers) {
        return "a tensor of the model has a buffer that does not exist";
      }
    }
    if (!AreBelow(VectorOf(subgraph, 1), tensors.count, true) ||
        !AreBelow(VectorOf(subgraph, 2), tensors.count, false)) {
      return kNoTensor;
    }
    for (uint64_t i = 0; i < operators.count; ++i) {
      const uint64_t op = Follow(operators.begin + kOffsetBytes * i);
      if (Number(op, 0, 4) >= num_codes) {
        return "an operator of the model has a code that does not exist";
      }
      if (!AreBelow(VectorOf(op, 1), tensors.count, true) ||
          !AreBelow(VectorOf(op, 2), tensors.count, false)) {
        return kNoTensor;
      }
      if (!LiesBehind(Number(op, 9, 8), Number(op, 10, 8))) return kDamaged;
    }
    return nullptr;
  }

  const uint8_t* bytes_;
  uint64_t size_;
  uint64_t num_tables_ = 0;
};

}  // namespace
}  // namespace keras_dc

const char* kdc_check_model(const uint8_t* bytes, size_t size) {
  if (bytes == nullptr) size = 0;
  return keras_dc::Checker(bytes, size).Check();
}

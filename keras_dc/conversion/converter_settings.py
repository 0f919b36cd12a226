"""The settings of TensorFlow's converter, and TensorFlow's objects for names of values."""

# Attributes of `tf.lite.TFLiteConverter` and of its `target_spec` (TensorFlow 2.18 to 2.21).
_CONVERTER = (
    "allow_custom_ops",
    "canonicalizing_inf_as_min_max_float",
    "elide_elementsattrs_if_larger",
    "enable_timing",
    "exclude_conversion_metadata",
    "experimental_enable_resource_variables",
    "experimental_lower_to_saved_model",
    "experimental_new_converter",
    "experimental_new_dynamic_range_quantizer",
    "experimental_new_quantizer",
    "experimental_stablehlo_quantizer_config",
    "experimental_use_stablehlo_quantizer",
    "inference_input_type",
    "inference_output_type",
    "ir_dump_dir",
    "ir_dump_func_regex",
    "ir_dump_pass_regex",
    "legalize_custom_tensor_list_ops",
    "optimizations",
    "print_ir_after",
    "print_ir_before",
    "print_ir_module_scope",
    "representative_dataset",
    "serialize_debug_metadata",
    "unfold_batchmatmul",
)
_TARGET_SPEC = (
    "experimental_select_user_tf_ops",
    "experimental_supported_backends",
    "supported_ops",
    "supported_types",
)
_NEED_OPTIMIZATIONS = ("representative_dataset", "supported_types")


def checked(settings):
    """Check settings, and replace names of values by TensorFlow's objects.

    Args:
        settings: dict, see `**settings` of `keras_dc.convert`.

    Returns:
        dict from names to values; the fields of a `target_spec` are entries of their own.

    Raises:
        TypeError: if a setting is unknown.
        ValueError: if a value is unknown, or has no effect.
    """
    import tensorflow as tf

    target = settings.get("target_spec", {})
    if isinstance(target, tf.lite.TargetSpec):
        target = vars(target)
    settings = {name: value for name, value in settings.items() if name != "target_spec"}
    settings |= {name: value for name, value in target.items() if name[0] != "_" or value}
    for name in settings:
        if name not in (*_CONVERTER, *_TARGET_SPEC) and not name.startswith("_experimental"):
            raise TypeError(
                "a setting of the converter must be one of "
                f"{', '.join(sorted((*_CONVERTER, *_TARGET_SPEC)))}. Received: {name}"
            )
    if not settings.get("optimizations"):
        for name in _NEED_OPTIMIZATIONS:
            if settings.get(name):
                raise ValueError(
                    f"`{name}` has no effect without `optimizations`, for example "
                    f"optimizations=['DEFAULT']. Received: optimizations="
                    f"{settings.get('optimizations')!r}"
                )
    return {name: _as_tensorflow(name, value) for name, value in settings.items()}


def give(converter, settings):
    """Set what `checked` gave on a `tf.lite.TFLiteConverter`.

    Raises:
        TypeError: if the installed TensorFlow has no such setting.
    """
    for name, value in settings.items():
        owner = converter if hasattr(converter, name) else converter.target_spec
        if not hasattr(owner, name):
            raise TypeError(
                "a setting must be one that the converter of the installed TensorFlow has. "
                f"Received: {name}"
            )
        setattr(owner, name, value)


def _as_tensorflow(name, value):
    """The value of a setting, with TensorFlow's own objects in place of their names."""
    import tensorflow as tf

    if name == "optimizations":
        return _members(name, tf.lite.Optimize, value)
    if name == "supported_ops":
        return _members(name, tf.lite.OpsSet, value)
    if name == "supported_types":
        return [tf.as_dtype(item) for item in value]
    if name in ("inference_input_type", "inference_output_type"):
        return tf.as_dtype(value)
    if name == "representative_dataset" and not callable(value):
        raise TypeError(
            "`representative_dataset` must be a function without arguments that yields a list or "
            f"dict of input arrays at a time. Received: {type(value).__name__}"
        )
    return value


def _members(name, enumeration, values):
    known = [member.value for member in enumeration]
    if not isinstance(values, (list, tuple, set)) or not all(
        isinstance(value, enumeration) or value in known for value in values
    ):
        raise ValueError(f"`{name}` must be a list of {known}. Received: {name}={values!r}")
    return [enumeration(value) for value in values]

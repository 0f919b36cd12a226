"""The tests of the training half, again on the other backends that are installed."""


def test_training_on_another_backend(backend_run):
    code, output = backend_run.result(timeout_seconds=1800)
    assert code == 0, output

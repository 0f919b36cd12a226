import pytest

from keras_dc.recipe.budget import plan_of


@pytest.mark.parametrize("epochs", [2, 3, 9, 10, 31, 60, 200])
@pytest.mark.parametrize("is_about_loss", [True, False])
@pytest.mark.parametrize("has_choice", [True, False])
def test_all_epochs_are_spent(epochs, is_about_loss, has_choice):
    plan = plan_of(epochs, baseline_epochs=0, has_choice=has_choice, is_about_loss=is_about_loss)
    assert plan.total == epochs
    assert all(prune >= 1 and share >= 1 for prune, share in plan.attempts)


def test_sizes_take_three_attempts_and_losses_two():
    options = {"baseline_epochs": 5, "has_choice": True}
    plan = plan_of(65, is_about_loss=True, **options)
    assert (plan.baseline, plan.trial) == (5, 2)
    assert plan.attempts == ((20, 6), (11, 4), (11, 4))
    plan = plan_of(65, is_about_loss=False, **options)
    assert plan.attempts == ((32, 10), (10, 4))


def test_few_epochs_are_one_attempt():
    plan = plan_of(4, baseline_epochs=0, has_choice=True, is_about_loss=True)
    assert (plan.trial, plan.attempts) == (0, ((3, 1),))
    assert plan.rows() == [("attempt 1", "3 pruning + 1 sharing")]


def test_too_few_are_refused():
    with pytest.raises(ValueError, match="epochs=4, baseline_epochs=3"):
        plan_of(4, baseline_epochs=3, has_choice=False, is_about_loss=True)

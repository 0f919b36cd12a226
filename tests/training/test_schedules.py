import pytest

from keras_dc.training.schedules import (
    CallableSchedule,
    ConstantSparsity,
    PolynomialDecay,
    Schedule,
    as_schedule,
    last_update_step,
)


def test_polynomial_decay_follows_its_formula():
    schedule = PolynomialDecay(0.2, 0.8, begin_step=100, end_step=300)
    assert schedule(100) == pytest.approx(0.2)
    # Halfway: 0.8 + (0.2 - 0.8) * 0.5 ** 3
    assert schedule(200) == pytest.approx(0.725)
    assert schedule(300) == pytest.approx(0.8)


def test_polynomial_decay_is_held_outside_its_steps():
    schedule = PolynomialDecay(0.2, 0.8, begin_step=100, end_step=300)
    assert schedule(0) == pytest.approx(0.2)
    assert schedule(10**6) == pytest.approx(0.8)


def test_polynomial_decay_power_one_is_linear():
    schedule = PolynomialDecay(0.0, 0.8, begin_step=0, end_step=8, power=1)
    assert [schedule(step) for step in (0, 2, 4, 8)] == pytest.approx([0.0, 0.2, 0.4, 0.8])


def test_constant_sparsity_is_constant():
    schedule = ConstantSparsity(0.5, begin_step=10)
    assert {schedule(step) for step in (0, 10, 10**6)} == {0.5}


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, None), (9, None), (10, 10), (14, 10), (15, 15), (29, 25), (30, 30), (99, 30)],
)
def test_updates_come_every_frequency_steps_from_begin_to_end(step, expected):
    schedule = ConstantSparsity(0.5, begin_step=10, end_step=30, frequency=5)
    assert last_update_step(schedule, step) == expected


def test_last_update_before_an_end_that_is_no_multiple():
    schedule = ConstantSparsity(0.5, begin_step=0, end_step=12, frequency=5)
    assert [last_update_step(schedule, step) for step in (9, 11, 12, 99)] == [5, 10, 12, 12]


def test_the_last_update_reaches_the_final_sparsity():
    schedule = PolynomialDecay(0.0, 0.7, begin_step=0, end_step=376, frequency=100)
    assert schedule(last_update_step(schedule, 376)) == pytest.approx(0.7)
    assert schedule.target(0) == pytest.approx(0.7)


def test_the_target_without_an_end_is_that_of_the_step():
    assert as_schedule(lambda step: step / 1000).target(250) == pytest.approx(0.25)
    assert CallableSchedule(lambda step: step / 1000, begin_step=100).target(0) == 0.1


def test_end_step_of_minus_one_is_for_ever():
    schedule = ConstantSparsity(0.5, begin_step=0, end_step=-1, frequency=100)
    assert last_update_step(schedule, 12345) == 12300


def test_another_end_step_can_be_given():
    schedule = PolynomialDecay(0.0, 0.5, begin_step=0, end_step=10, frequency=2)
    assert last_update_step(schedule, 99, end_step=21) == 21


def test_plain_function_is_asked_every_hundred_steps():
    schedule = as_schedule(lambda step: step / 1000)
    assert last_update_step(schedule, 250) == 200
    assert schedule(200) == pytest.approx(0.2)


def test_schedule_that_answers_with_a_flag_keeps_its_own_steps():
    class Foreign:
        begin_step, end_step, frequency = 3, 9, 2

        def __call__(self, step):
            due = self.begin_step <= step <= self.end_step and (step - 3) % 2 == 0
            return due, 0.25 if due else 0.0

    schedule = as_schedule(Foreign())
    assert last_update_step(schedule, 8) == 7
    assert schedule(7) == 0.25


def test_as_schedule_leaves_a_schedule_alone():
    schedule = ConstantSparsity(0.5, begin_step=0)
    assert as_schedule(schedule) is schedule


def test_a_flag_that_is_false_makes_its_sparsity_meaningless():
    class Foreign:
        begin_step, end_step, frequency = 0, 10, 4

        def __call__(self, step):
            due = step <= 10 and step % 4 == 0
            return due, 0.25 if due else 0.0

    schedule = as_schedule(Foreign())
    assert last_update_step(schedule, 99) == 10
    assert schedule(10) == 0.25


def test_a_number_is_a_sparsity_at_step_0_alone():
    schedule = as_schedule(0.25)
    assert (schedule.begin_step, schedule.end_step, schedule(0)) == (0, 0, 0.25)


def test_a_missing_begin_step_is_asked_for():
    with pytest.raises(TypeError, match=r"needs `begin_step`.*Received: target_sparsity=0.5"):
        ConstantSparsity(0.5)


@pytest.mark.parametrize(
    "schedule",
    [
        PolynomialDecay(0.1, 0.9, begin_step=2, end_step=50, power=2, frequency=7),
        ConstantSparsity(0.3, begin_step=4, end_step=40, frequency=3),
    ],
)
def test_config_makes_an_equal_schedule(schedule):
    config = schedule.get_config()
    again = type(schedule).from_config(config)
    assert again.get_config() == config
    assert [again(step) for step in range(60)] == [schedule(step) for step in range(60)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConstantSparsity(1.0, 0), r"\[0, 1\).*Received: target_sparsity=1.0"),
        (lambda: ConstantSparsity(-0.1, 0), r"Received: target_sparsity=-0.1"),
        (lambda: PolynomialDecay(1.5, 0.5, 0, 9), r"Received: initial_sparsity=1.5"),
        (lambda: PolynomialDecay(0.0, 1.0, 0, 9), r"Received: final_sparsity=1.0"),
        (lambda: PolynomialDecay(0.0, 0.5, 9, 9), r"larger than `begin_step`"),
        (lambda: PolynomialDecay(0.0, 0.5, 0, -1), r"larger than `begin_step`"),
        (lambda: ConstantSparsity(0.5, -1), r"Received: begin_step=-1"),
        (lambda: ConstantSparsity(0.5, 10, 9), r"Received: begin_step=10, end_step=9"),
        (lambda: ConstantSparsity(0.5, 0, frequency=0), r"Received: frequency=0"),
        (lambda: as_schedule("half"), r"or a sparsity. Received: schedule='half'"),
        (lambda: as_schedule(1.5), r"Received: target_sparsity=1.5"),
        (lambda: CallableSchedule(lambda step: 1.0)(5), r"Received: schedule\(5\)=1.0"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: PolynomialDecay(0.0, 0.5, 0, 9, 3),
        lambda: ConstantSparsity(0.5, 0, 9, 3),
        lambda: CallableSchedule(lambda step: 0.5, 0, 9, 3),
        lambda: Schedule(0, 9, 3),
    ],
)
def test_what_follows_the_steps_needs_its_name(make):
    """A frequency would else be taken for a power."""
    with pytest.raises(TypeError, match="positional argument"):
        make()


def test_schedule_without_call_says_so():
    with pytest.raises(NotImplementedError, match="__call__"):
        Schedule()(0)

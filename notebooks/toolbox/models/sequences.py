"""What training many networks of one kind takes: to begin anew without compiling."""

from functools import cache

from toolbox.page import keras

import numpy as np


@cache
def built(build, *arguments):
    """A compiled network, `build(*arguments)`, the variables of it and of its
    optimizer, and their values.
    """
    keras.utils.set_random_seed(0)
    model = build(*arguments)
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    return model, variables, [np.array(variable) for variable in variables]


def anew(build, *arguments):
    """The compiled network `build(*arguments)` as it was before any training; all
    trainings draw the same numbers. It is built only once, since to compile it again
    would take longer than many a training: who calls this again gets the same object,
    and what it had learned is gone.
    """
    model, variables, first = built(build, *arguments)
    for variable, value in zip(variables, first, strict=True):
        variable.assign(value)
    keras.utils.set_random_seed(0)
    return model

"""A model's observables in a state reached by an engine directly, with no driver in between."""

from tnness.engines.exact import steady_vector
from tnness.engines.tebd import TEBD
from tnness.model.protocol import generator_of
from tnness.network.dense_view import DenseView
from tnness.network.initial import identity_state


def measure(model, view):
    """Every observable of the model, by name."""
    return {name: observable(view) for name, observable in model.observables().items()}


def exact_view(model):
    """The exact steady state."""
    generator = generator_of(model)
    return DenseView(steady_vector(generator).vector, generator.spaces, generator.functionals)


def exact_values(model):
    """Every observable in the exact steady state."""
    return measure(model, exact_view(model))


def tebd_values(model, until, **settings):
    """Every observable at time `until`, from infinite temperature, and the run."""
    generator = generator_of(model)
    run = TEBD(**settings).init(generator, identity_state(generator.spaces))
    while run.time < until:
        run.step(until)
    return measure(model, run.view()), run

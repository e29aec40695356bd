from dreamkit import Option, Parametrisation, hookimpl


class Momentum:
    def __init__(self, pixels, config, arrays, *, share):
        self.share = share
        self.unit = config.unit[0]
        self.velocity = arrays["velocity"] if arrays else 0 * pixels

    def step(self, pixels, update, step_size):
        self.velocity *= self.share
        self.velocity += (1 - self.share) * update
        pixels += step_size * self.unit * self.velocity
        pixels.clip(0, 255, out=pixels)

    def arrays(self):
        return {"velocity": self.velocity}


@hookimpl
def dreamkit_parametrisations():
    share = Option(0.9, "The share of each step that comes from earlier steps.", least=0.0, most=0.99)
    yield Parametrisation(name="momentum", make=Momentum, copies=1, options={"share": share})

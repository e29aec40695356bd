from dreamkit import Transform, hookimpl


class Mirror:
    def apply(self, pixels):
        return pixels[:, ::-1].copy()

    adjoint = apply  # mirrored twice is as it was


def draw(context):
    return Mirror() if context.random().random() < context.strength / 2 else None


@hookimpl
def dreamkit_transforms():
    yield Transform(name="mirror", draw=draw, description="mirrors each step with probability strength / 2")

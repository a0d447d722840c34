"""The layers of VGG-16 and VGG-19 by name."""


def _layers(*convs_per_block: int) -> tuple[str, ...]:
    return tuple(
        name
        for block, convs in enumerate(convs_per_block, 1)
        for name in [
            *(f"{kind}{block}_{conv}" for conv in range(1, convs + 1) for kind in ("conv", "relu")),
            f"pool{block}",
        ]
    )


# Configurations D and E: Simonyan & Zisserman 2015, table 1
VGG16_LAYERS = _layers(2, 2, 3, 3, 3)


VGG19_LAYERS = _layers(2, 2, 4, 4, 4)  # every layer of VGG-16, and three more


NETWORKS = {"vgg16": VGG16_LAYERS, "vgg19": VGG19_LAYERS}

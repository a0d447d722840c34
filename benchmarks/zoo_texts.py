"""What benchmarks/zoo.py writes about the zoo: its page, and what the cards of its networks say."""

ABOUT = """\
# The zoo: pretrained networks

Networks trained by impasto on paintings in the public domain. Wherever a command takes a checkpoint or a model,
`zoo/PAINTING` is the `mobile` network and `zoo/PAINTING/tiny` the `tiny` one. `zoo/PAINTING/studio`, of all paintings
but Woman with a Hat, is for stills: strokes are larger where a photo is plain. `painting.jpg` in each folder is a
thumbnail of the painting.

- **Training.** `mobile`: `impasto-train style=PAINTING.jpg data.root=DIR init=CHECKPOINT data.size=256
  optimizer.lr=LR trainer.steps=N` on photos of at least 600 px on the short side, in two to five rounds. The last one
  is in the table: 600 crops with the flatness, mesh and weave losses and a learning rate of 0.0015. Six had another
  one: Udnie, Contrast of Forms and The Night Café 800 crops after that, with the blotch loss, too
  (`loss.blotch_weight=10`, the last 30, and then for 600 more with `loss.palette_weight=400`); The Scream 600 with
  that weight, as Composition VII, which had had 300 crops without the weave loss; and The Great Wave 450 with the
  flatness loss alone, and `optimizer.lr=0.003 loss.pattern_weight=2000`. The first rounds had none of these losses
  (`loss.flatness_weight=0 loss.mesh_weight=0 loss.weave_weight=0`), and a learning rate of 0.004 but for The Great
  Wave: 800 crops after 800 with an earlier loss (The Starry Night), 900 after the network of another painting
  (Composition VII, The Night Café, Contrast of Forms), 992 or 1,000 after `zoo/store` (The Scream, Udnie, Woman with
  a Hat), and 1,000 after version 0.1's with the learning rate and the crops that are chosen by default (The Great
  Wave). In between The Scream had 600 crops with the flatness loss; and with the mesh loss, too, The Starry Night 400
  at 0.004, and The Night Café, Udnie and Woman with a Hat 300 at 0.0015. `tiny`: the styles of `zoo/store/tiny`,
  trained further together for 1,600 crops with the flatness and mesh losses, and for 1,600 with the weave loss, too,
  at 0.0015; that of Contrast of Forms alone for 800 more, with the blotch loss, too.
  `studio`: the weights of `mobile`, in three [passes](../../docs/glossary.md#passes) and not trained further
  (`python -m benchmarks.zoo studio --paintings NAME`).
- **Stores.** `zoo/store` is one network of all eight paintings, 111 kB as ONNX: `impasto-stylize model=zoo/store
  style=udnie`, or a blend, `style='{{udnie: 0.6, great_wave: 0.4}}'`. It had 2,800 crops, after a network of The
  Starry Night, and then 1,400 with the flatness, mesh and weave losses and a learning rate of 0.0015.
  `zoo/store/tiny`: 4,800 crops, after a store of four other paintings. `zoo/video` flickers less: 800 crops after
  `zoo/store` as it was before, and then 600 with these losses, all with `loss.temporal_weight=0.06`. [The losses of
  `zoo/store` beside those of the single networks before](../../docs/benchmarks.md#a-store-of-styles).
- **Measurement.** `python -m benchmarks.zoo table --styles DIR --val DIR`. Distance to the painting at each octave of a
  display of 1080 px (1 is the photo's own), edges, pattern, flat texture and weave are the medians of {count} photos
  that were not trained on, for networks with a stroke resolution. Equivalent iterations of projected L-BFGS and the
  ratio to the optimizer's best loss are from noise at 256 px, for one photo and {iterations} iterations, with the loss
  that the network was trained with. At 256 px, strokes for 768 px are three times too large. Flicker is in levels
  (0..255). Terms: [glossary](../../docs/glossary.md).

"""
SCAN = "a scan whose origin was not recorded"
PROVENANCE = {  # title, artist and source of each painting
    "great_wave": ("The Great Wave off Kanagawa", "Katsushika Hokusai", SCAN),
    "composition_vii": ("Composition VII", "Wassily Kandinsky", SCAN),
    "contrast_of_forms": ("Contrast of Forms", "Fernand Léger", SCAN),
    "starry_night": (
        "The Starry Night",
        "Vincent van Gogh",
        "Museum of Modern Art, New York; scan of the Google Art Project",
    ),
    "the_scream": ("The Scream (National Gallery Oslo version)", "Edvard Munch", SCAN),
    "night_cafe": ("The Night Café", "Vincent van Gogh", SCAN),
    "woman_with_hat": ("Woman with a Hat", "Henri Matisse", SCAN),
    "udnie": ("Udnie (Young American Girl, The Dance)", "Francis Picabia", SCAN),
}
PHOTOS = "samples of ImageNet, BSDS500 and COCO, wallpapers, and sample images of public repositories"
PHOTOS_LICENSE = "various, by photo; no photo is distributed"
NETWORK_LICENSE = "MIT"
HEAD = (
    *("painting", "artist", "network", "stroke resolution", "parameters", "images seen", "int8 ONNX", "1", "1/2"),
    *("1/4", "1/8", "edges", "pattern", "flat texture", "weave", "equivalent iterations", "ratio to best", "flicker"),
)

"""LightningModules: the segmenter and the fusion head, and how a transfer treats pre-trained weights."""

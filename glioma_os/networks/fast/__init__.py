"""Numerical shortcuts, each in a file of its own with its derivation, its precision and its plain twin (see fast.py).

| file | shortcut | plain twin |
|---|---|---|
| `convolution` | one small float32 volume on a processor, as two slabs | `torch.nn.Conv3d` |
| `group_norm` | group normalization of channels-last tensors | `torch.nn.GroupNorm` |
| `upsampling` | trilinear enlargement by two, axis by axis | `torch.nn.functional.interpolate` |
| `normalization_volume` | a brain box with the statistics of a larger volume | the whole padded volume |
| `face_shell` | the empty volume's faces without its middle | as above |
| `dropout_masks` | eight dropout draws from one 64-bit hash | the hash of one draw, in Python's integers |
| `memory_retention` | freed memory is kept for the next layer | the C library's defaults |
"""

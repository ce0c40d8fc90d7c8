import subprocess
import sys

import pytest

CODE = """
import resource, sys, torch
from glioma_os.networks.fast.memory_retention import retain_freed_memory
assert not int(sys.argv[1]) or retain_freed_memory()
torch.set_num_threads(1)
image = torch.randn(1, 8, 64, 64, 64)
convolution = torch.nn.Conv3d(8, 8, 3, padding=1)
with torch.no_grad():
    for _ in range(24):  # the heap grows for some passes
        out = convolution(image).relu()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(16):
        out = convolution(image).relu()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults, float(out.double().sum()))
"""


def run(kept):
    done = subprocess.run(
        [sys.executable, "-c", f"import torch; torch.manual_seed(0)\n{CODE}", kept], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    faults, total = done.stdout.split()
    return int(faults), total


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_kept_pages_are_not_asked_for_again_and_change_no_bit():
    (given_back, plain), (kept, same) = run("0"), run("1")
    assert same == plain
    assert kept < given_back / 10

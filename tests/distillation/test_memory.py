from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, torch
from distillation.memory import keep_freed

def held() -> int:  # MB
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

def use() -> None:
    blocks = [torch.ones(8 << 20) for _ in range(8)]  # 256 MB, paged in

before = held()
with keep_freed():
    use()
    inside = held()
after = held()
use()
print(inside - before, after - before, held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's mallopt, and /proc")
def test_freed_memory_stays_while_training_and_goes_back_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    inside, after, later = map(int, done.stdout.split())
    assert inside > 200 and after < 60 and later < 60

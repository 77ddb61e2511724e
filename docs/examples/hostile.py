"""Losses that do what a loss must not, one function each; docs/own_loss.md says what `harness check` says of each.

Every one of them computes the right values beside, so that nothing but what it does can be what it fails by.
"""

import ctypes
import math
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time

import mpmath
import numpy as np


def loss(x, y):
    """Return the cross-entropy of a logit, as well as NumPy computes it."""
    tail = np.log1p(np.exp(-np.abs(x)))
    return y * (np.maximum(-x, 0) + tail) + (1 - y) * (np.maximum(x, 0) + tail)


# -- what it returns --------------------------------------------------------------------------------


def masked(x, y):
    return np.ma.masked_array(loss(x, y), mask=x > 5)


def objects(x, y):
    return loss(x, y).astype(object)


def read_only(x, y):
    found = loss(x, y)
    found.flags.writeable = False
    return found


def records(x, y):
    return np.rec.fromarrays([loss(x, y)], names="loss")


def subclass(x, y):
    return loss(x, y).view(np.recarray)


def nothing(x, y):
    loss(x, y)


def listed(x, y):
    return loss(x, y).tolist()


def paired(x, y):
    return loss(x, y), {"weight": 1}


def generated(x, y):
    yield from loss(x, y)


async def awaited(x, y):
    return loss(x, y)


class Lie:
    shape, dtype = (9,), np.dtype(np.float32)

    def __array__(self, *how, **more):
        raise RuntimeError("there is no array")


def pretended(x, y):
    loss(x, y)
    return Lie()


def matrix(x, y):
    return np.asmatrix(loss(x, y))


def complex_numbers(x, y):
    return loss(x, y).astype(np.complex64)


def truths(x, y):
    return loss(x, y) > 0


def swapped_bytes(x, y):
    return loss(x, y).astype(">f4")


def column(x, y):
    return loss(x, y)[:, None]


def average(x, y):
    return loss(x, y).mean()


def integers(x, y):
    return loss(x, y).astype(np.int32)


def wider(x, y):
    return loss(x, y).astype(np.longdouble)


def in_place(x, y):
    np.maximum(x, 0, out=x)
    return loss(x, y)


# -- how it ends ------------------------------------------------------------------------------------


def exits(x, y):
    sys.exit()


def leaves(x, y):
    os._exit(0)


def raises(x, y):
    raise RuntimeError("weights\nare missing")


def colours(x, y):
    raise RuntimeError("\x1b[31mno\x1b[0m\x00 weights")


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("not even that")


def speechless(x, y):
    raise Speechless


def interrupted(x, y):
    raise KeyboardInterrupt


def recursive(x, y):
    return recursive(x, y)


def loops(x, y):
    while True:
        pass


def stops(x, y):
    os.kill(os.getpid(), signal.SIGSTOP)
    return loss(x, y)


def terminates(x, y):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def killed(x, y):
    os.kill(os.getpid(), signal.SIGKILL)


def segfaults(x, y):
    ctypes.string_at(0)


def aborts(x, y):
    os.abort()


def hoards(x, y):
    kept = []
    while True:
        kept.append(np.ones(1 << 24))


def asks_too_much(x, y):
    return np.ones(1 << 60)


# -- what it does beside ----------------------------------------------------------------------------


def closes_stdout(x, y):
    sys.stdout.close()
    return loss(x, y)


def closes_descriptor(x, y):
    os.close(1)
    return loss(x, y)


def closes_everything(x, y):
    os.closerange(3, 256)
    return loss(x, y)


def replaces_stdout(x, y):
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    return loss(x, y)


def patches_numpy(x, y):
    np.exp = np.expm1
    return loss(x, y)


def patches_math(x, y):
    math.exp = math.expm1
    return loss(x, y)


def changes_precision(x, y):
    mpmath.mp.prec = 10
    return loss(x, y)


def thread(x, y):
    threading.Thread(target=time.sleep, args=(1e6,), name="forever").start()
    return loss(x, y)


def forks(x, y):
    os.fork()
    return loss(x, y)


def pools(x, y):
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(loss, (x, y))


def writes(x, y):
    os.write(1, b"[{}]\n")
    print("PASS")
    return loss(x, y)


def calls_another(x, y):
    subprocess.run(["true"], check=True)
    return loss(x, y)


# -- what it depends on -----------------------------------------------------------------------------


def by_mean(x, y):
    return np.full_like(x, loss(x, y).mean())


def by_length(x, y):
    return loss(x, y) / np.asarray(x.size, x.dtype)


def by_neighbours(x, y):
    return loss(x - x.max(), y)


_calls = 0


def by_calls(x, y):
    global _calls
    _calls += 1
    return loss(x, y) * np.asarray(1 + _calls, x.dtype)


def by_chance(x, y):
    return loss(x, y) * np.random.uniform(0.9, 1.1, x.shape).astype(x.dtype)


def by_chance_of_python(x, y):
    return loss(x, y) * np.asarray(random.uniform(0.9, 1.1), x.dtype)


def by_alignment(x, y):
    odd = x.ctypes.data % 64 != 0
    return loss(x, y) * np.asarray(1 + odd, x.dtype)


def by_place(x, y):
    return loss(x, y) * np.linspace(1, 2, x.size, dtype=x.dtype)


def by_time(x, y):
    return loss(x, y) + np.asarray(time.perf_counter() % 1, x.dtype)

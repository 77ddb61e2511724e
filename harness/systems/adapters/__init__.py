"""The libraries under test, one file (or folder) each: its versions, its calls, their replicas, their typed lines.

An adapter declares `LIBRARIES`, the libraries whose process it sets up, and `systems(library)`, what is
called in each.  It is found by lying here: nothing else has to name it, but for the extra in pyproject.toml
that installs the library.  It imports the library only inside the functions that load or call it.  The least
adapter is

    LIBRARIES = (Library("scipy", __name__, ("scipy",)),)
    IMPORTS, LOSS = "from scipy.special import xlogy, xlog1py", "-(xlogy(y, x) + xlog1py(1 - y, -x))"

    def systems(library):
        load, command = evaluated(IMPORTS, LOSS), printed(IMPORTS, LOSS)
        return [System("xlogy + xlog1py", library, "bce", "eager", load, "naive_log1p", command=command)]

where `naive_log1p` is the kernel that computes the same in NumPy, a common one or a replica declared in the file.
"""

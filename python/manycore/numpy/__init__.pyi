# To a type checker this namespace is NumPy's.
from numpy import *  # noqa: F403

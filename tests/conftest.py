"""For every test: Ctrl-C means what it means in a terminal."""

import signal

# What runs in the background of a shell without job control ignores SIGINT and passes that on to its children, which tests interrupt.
# A handler here is not passed on: children start with the default.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

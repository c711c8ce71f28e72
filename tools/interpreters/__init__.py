"""Finds or makes the Python interpreters that the sessions run on.

Standard library only, and Python 3.9 or newer: this runs before anything is installed.

    table.py    which interpreters there are; adding one is one line there
    probe.py    asks a candidate what it really is
    find.py     looks on PATH, in uv's, pyenv's and our own folder
    sources.py  fetches a CPython release: from python.org, else from Debian's source archive
    aptconf.py  reads which archive this machine's apt uses
    build.py    configures, compiles and installs it, with progress
    cache.py    where that is kept, and how two callers stay out of each other's way
    ensure.py   the order in which all this is tried
    cli.py      ``python tools/interpreters list`` and ``... ensure 3.13t``
"""

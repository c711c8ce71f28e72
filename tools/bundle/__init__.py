"""Packs the laboratory for a machine without a network and without a compiler.

One archive per interpreter: the interpreter, the packages and the project, of which chosen
experiments run on any Linux x86-64 machine whose glibc is new enough. Archives that are unpacked
in one folder belong together: one run interleaves the arms of all their interpreters. Standard
library only, and Python 3.9 or newer.

    needs.py        which experiments can be packed, and the packages each one needs
    interpreter.py  copies an interpreter without what measuring does not need
    elf.py          reads and edits what a program asks of the dynamic loader
    libraries.py    brings the shared libraries along, strips, finds the glibc that is needed
    wheels.py       installs packages, from uv's cache where it holds them
    project.py      copies the project and says which state of it this is
    verify.py       runs what was packed, from another folder, and checks where everything is from
    archive.py      compresses it
    pack.py         does all this for one interpreter
    cli.py          ``python tools/bundle --interpreters 3.12,3.13t --experiments scaling``
    run.sh          what starts an experiment on the other machine
"""

"""The command line `keras-dc`: a module for each command, `main` runs them.

Modules import click at most when they are loaded; what a command needs it imports when it
runs, so that the answer to a small question comes within a second.
"""

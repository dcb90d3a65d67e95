"""What `python -m keras_gen` does, a function a command.

TensorFlow and what needs it are imported when a command runs, so that `--help` answers at once.
"""

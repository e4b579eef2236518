"""`python -m vestibular`: the same command line as `vestibular`."""

from vestibular.commands.cli import main

if __name__ == "__main__":
    main()

"""`python -m watcher` is the same as `imagegen`."""

from watcher.cli import main

if __name__ == "__main__":
    main()

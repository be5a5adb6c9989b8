"""``python -m wavewrap_gateway``: the ``wavewrap`` command where it is not on the path."""

from wavewrap_gateway.cli.main import main

if __name__ == "__main__":
    main()

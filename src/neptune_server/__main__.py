"""Start the server: `vestibular neptune-server [--root DIR] [--port N]`."""

import sys

EXIT_CODE = 2


def main() -> None:
    """Serve until a signal stops the server."""
    try:
        from neptune_server.command import main as run
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        print(
            f"neptune_server: the package {package} is missing; "
            "pip install 'vestibular[neptune-server]'",
            file=sys.stderr,
        )
        raise SystemExit(EXIT_CODE) from None
    run()


if __name__ == "__main__":
    main()

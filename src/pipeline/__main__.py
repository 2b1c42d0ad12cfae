"""`python -m pipeline` and the console script."""


def main() -> None:
    print("pipeline")

"""The packages in a table: what each does, what it imports, which stages its edits run again."""

from extensions.project import first_sentence, imported, layers, stages_of


def as_markdown() -> str:
    """Return the table, the highest package first."""
    rows = ["| package | what it does | imports | an edit runs again |", "|---|---|---|---|"]
    for line in layers():
        for name in line:
            below = ", ".join(imported()[name]) or "nothing"
            again = ", ".join(f"`{stage}`" for stage in stages_of(name)) or "nothing"
            rows.append(f"| `{name}` | {first_sentence(name)} | {below} | {again} |")
    return "\n".join([*rows, ""])

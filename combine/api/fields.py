"""What stands in request bodies, with its limits. That no text holds NUL or half a character is the body's matter."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

Name = Annotated[str, Field(min_length=1, max_length=100)]
"""Of a workflow, a step, a document type."""
ProjectName = Annotated[str, Field(min_length=1, max_length=120)]
Model = Annotated[str, Field(min_length=1, max_length=200, examples=["claude-sonnet-5-5", "offline"])]
Words = Annotated[str, Field(min_length=1, max_length=10_000)]
BriefText = Annotated[str, Field(min_length=1, max_length=200_000)]
Email = Annotated[str, Field(min_length=3, max_length=254, examples=["ada@example.org"])]
Usd = Annotated[Decimal, Field(gt=0, le=1_000_000, max_digits=14, decimal_places=6, allow_inf_nan=False)]
Answers = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=500)],
        Annotated[str, Field(min_length=1, max_length=10_000)],
    ],
    Field(max_length=100),
]

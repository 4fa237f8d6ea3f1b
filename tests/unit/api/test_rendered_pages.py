from dataclasses import dataclass, field

from combine.api.answers import RenderedPages


@dataclass
class Export:
    html_key: str
    text: str
    made: list = field(default_factory=list)

    @property
    def html(self):
        self.made.append(self.html_key)
        return self.text


async def test_the_least_recently_used_page_is_evicted():
    pages, made = RenderedPages(max_bytes=100), []
    first, second, third = (Export(name, name * 40, made) for name in "abc")
    for one in (first, second, first, third, first):
        assert await pages.page(one) == one.text.encode()
    assert made == ["a", "b", "c"]
    await pages.page(second)
    assert made == ["a", "b", "c", "b"]


async def test_a_page_larger_than_the_cache_is_not_kept():
    pages, made = RenderedPages(max_bytes=100), []
    small, large = Export("small", "x" * 40, made), Export("large", "x" * 101, made)
    for one in (small, large, large, small):
        assert await pages.page(one) == one.text.encode()
    assert made == ["small", "large", "large"]

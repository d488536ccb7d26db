"""The look of the pages: stylesheet, script, layout, words for money and dates, and the headers they go out with."""

"""The look of the sandbox's pages: stylesheet, layout, the headers they go out with, the forms they send."""

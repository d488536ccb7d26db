"""The control room for people: one page a noun, which say what is stored and send forms that change it."""

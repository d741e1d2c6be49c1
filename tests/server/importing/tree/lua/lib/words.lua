return { words = { spam = true, eggs = true } }

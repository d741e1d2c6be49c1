print(string.dump(print))

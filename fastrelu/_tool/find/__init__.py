"""python -m fastrelu find: places in source code that a function of fastrelu could take over."""

"""A comparison of runs to hand on: what the compare page shows, as one file without a studio.

`gathering` collects it, in words and numbers that are ready to be read; `contents` is what it consists of;
`drawing` lays charts out; `svg` and `pdf` write them down. The HTML around it is the front door's.
"""

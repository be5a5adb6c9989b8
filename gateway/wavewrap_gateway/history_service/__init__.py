"""The history as a program of its own, for the page's server: it asks over a pipe, and need load neither database nor numpy.

``asks`` is the table of what can be asked; a new ask is a model in ``wavewrap_protocol.history_asks`` and a handler there. Not responsible
for who may ask: the server has looked at that.
"""

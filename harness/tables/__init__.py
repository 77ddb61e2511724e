"""Tables that people cite: their rows, what is shown of them, their files, and the checks of what they say.

`rows` turns a sweep's summaries into rows; `views`, `contract` and `text` say what is shown of a table and how;
`writer` writes and reads the files; `verify` checks them.  `special_values` and `atlas` are tables of their own.
"""

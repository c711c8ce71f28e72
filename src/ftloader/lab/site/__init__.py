"""The report site: every committed result set on pages that need no network, and in Markdown.

``python -m ftloader report --site`` makes it from an experiments folder alone. No number is
measured or typed here: each sentence of the overview is what a rule makes of named rows of result
files, and says which. Two result sets are compared by ratios that were paired within each of
them, never by times.
"""

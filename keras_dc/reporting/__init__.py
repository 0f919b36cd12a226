"""What a compressed file holds, as one page of HTML, as JSON, as rows and as figures.

`report.py` gathers; `tensors.py` measures one blob, `files.py` whole files and their zips,
`energy.py` estimates; `figures.py` draws, `page.py` lays it all out.
"""

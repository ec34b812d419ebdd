"""Numbers and tables for people: as text for a terminal, and as HTML for a page. It knows no record and no model."""

"""What Sphinx does in addition for this site: parts made from code, and a check of the pages."""

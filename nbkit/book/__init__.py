"""The book: notebooks executed by papermill, pages made by Jupyter Book."""

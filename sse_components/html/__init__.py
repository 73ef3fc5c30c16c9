"""HTML for the pages: out-of-band swaps, browser files, what a page is granted."""
